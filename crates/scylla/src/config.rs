//! What the store is told, and what is wrong with it.

use std::fmt;
use std::str::FromStr;

use scylla::frame::types::Consistency as Level;

/// Where the servers are and how they are asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// `scylla.nodes`: nodes to ask first, `host` or `host:port`.
    pub nodes: Vec<String>,
    /// `scylla.user`: the role to log in as; none when empty.
    pub user: String,
    /// `scylla.password`: its password.
    pub password: String,
    /// `scylla.consistency`: how many replicas acknowledge a row or answer a query.
    pub consistency: Consistency,
    /// `scylla.replication-factor`: copies in each data centre of keyspaces that are made.
    pub replication_factor: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: vec!["127.0.0.1:9042".to_owned()],
            user: String::new(),
            password: String::new(),
            consistency: Consistency::default(),
            replication_factor: 1,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("nodes", &self.nodes)
            .field("user", &self.user)
            .field("consistency", &self.consistency)
            .field("replication_factor", &self.replication_factor)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Whether the settings can work together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.nodes.is_empty() {
            return Err(ConfigError::new("scylla.nodes", "no node is named"));
        }
        for node in &self.nodes {
            check_node(node)?;
        }
        if self.user.is_empty() && !self.password.is_empty() {
            let reason = "is empty, and `scylla.password` is not";
            return Err(ConfigError::new("scylla.user", reason));
        }
        if self.password.is_empty() && !self.user.is_empty() {
            let reason = "is empty, and `scylla.user` is not";
            return Err(ConfigError::new("scylla.password", reason));
        }
        if self.replication_factor == 0 {
            return Err(ConfigError::new("scylla.replication-factor", "0 copies"));
        }
        Ok(())
    }
}

fn check_node(node: &str) -> Result<(), ConfigError> {
    let wrong = |what: &str| ConfigError::new("scylla.nodes", format!("`{node}`: {what}"));
    let has_odd = |text: &str| text.is_empty() || text.contains(char::is_whitespace);
    // More than one colon: an IPv6 address, with a port only behind brackets.
    let (host, port) = match node.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        Some(_) | None => (node, None),
    };
    if has_odd(host) {
        return Err(wrong("no host"));
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(Ok(0) | Err(_)) => Err(wrong("the port is no number from 1 to 65535")),
    }
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct ConfigError {
    /// The setting.
    pub key: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl ConfigError {
    fn new(key: &'static str, reason: impl Into<String>) -> Self {
        Self {
            key,
            reason: reason.into(),
        }
    }
}

/// How many replicas acknowledge a row or answer a query: the levels that do for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Any one.
    One,
    /// Two.
    Two,
    /// Three.
    Three,
    /// More than half, over all data centres.
    Quorum,
    /// Every one.
    All,
    /// One of the data centre that is asked.
    LocalOne,
    /// More than half of the data centre that is asked.
    #[default]
    LocalQuorum,
}

const LEVELS: [(&str, Consistency); 7] = [
    ("one", Consistency::One),
    ("two", Consistency::Two),
    ("three", Consistency::Three),
    ("quorum", Consistency::Quorum),
    ("all", Consistency::All),
    ("local-one", Consistency::LocalOne),
    ("local-quorum", Consistency::LocalQuorum),
];

impl FromStr for Consistency {
    type Err = ConfigError;

    /// `local-quorum` as in settings, `LOCAL_QUORUM` as in CQL.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let word = text.to_ascii_lowercase().replace('_', "-");
        let known = LEVELS.iter().find(|(name, _)| *name == word);
        known.map(|(_, level)| *level).ok_or_else(|| {
            let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
            let reason = format!("`{text}` is none of {}", names.join(", "));
            ConfigError::new("scylla.consistency", reason)
        })
    }
}

impl Consistency {
    pub(crate) fn level(self) -> Level {
        match self {
            Self::One => Level::One,
            Self::Two => Level::Two,
            Self::Three => Level::Three,
            Self::Quorum => Level::Quorum,
            Self::All => Level::All,
            Self::LocalOne => Level::LocalOne,
            Self::LocalQuorum => Level::LocalQuorum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> ConfigError {
        let mut config = Config::default();
        change(&mut config);
        config.check().unwrap_err()
    }

    #[test]
    fn the_default_can_work() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert_eq!(refused(|c| c.nodes.clear()).key, "scylla.nodes");
        assert_eq!(refused(|c| c.user = "u".into()).key, "scylla.password");
        assert_eq!(refused(|c| c.password = "p".into()).key, "scylla.user");
        let key = refused(|c| c.replication_factor = 0).key;
        assert_eq!(key, "scylla.replication-factor");
        for node in ["", ":9042", "a b:9042", "host:0", "host:65536", "host:cql"] {
            let error = refused(|c| c.nodes = vec![node.to_owned()]);
            assert_eq!(error.key, "scylla.nodes", "{node}");
            assert!(error.reason.contains(node));
        }
    }

    #[test]
    fn a_node_may_be_a_name_an_address_or_come_with_a_port() {
        for node in [
            "db",
            "db:19042",
            "10.0.0.1",
            "10.0.0.1:1",
            "::1",
            "[::1]:9042",
        ] {
            assert_eq!(check_node(node), Ok(()), "{node}");
        }
    }

    #[test]
    fn consistency_is_read_in_both_spellings() {
        assert_eq!("local-quorum".parse(), Ok(Consistency::LocalQuorum));
        assert_eq!("LOCAL_ONE".parse(), Ok(Consistency::LocalOne));
        let error = "each-quorum".parse::<Consistency>().unwrap_err();
        assert_eq!(error.key, "scylla.consistency");
        assert!(error.to_string().contains("`each-quorum`"));
    }

    #[test]
    fn the_password_is_never_shown() {
        let config = Config {
            user: "u".to_owned(),
            password: "hunter2".to_owned(),
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
