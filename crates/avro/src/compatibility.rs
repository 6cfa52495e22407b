//! Whether what was written once can still be read: the current schemas against the published
//! history.
//!
//! Every published version of a topic's schema must be readable by the current one, not only the
//! last: events are kept for ever, and a compacted state topic keeps a snapshot until its key is
//! written again. What counts as readable is what the codec does, not apache-avro's check: that one
//! passes a schema which lost an event type, and refuses a record renamed through an alias.

use std::fmt;

use serde::Serialize;

use crate::files::TopicFiles;
use crate::resolve::plan;
use crate::{AvroSchema, Incompatibility, SchemaFiles, SchemaId};

/// What [`SchemaFiles::check`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompatibilityReport {
    /// One for each topic with schemas, sorted.
    pub topics: Vec<TopicReport>,
    /// Paths of files that are in the wrong place, have a wrong name, or cannot be read.
    pub misplaced: Vec<String>,
}

/// What was found about the schema of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// The topic.
    pub topic: String,
    /// How many versions are published.
    pub versions: usize,
    /// The id of the current schema, unless it cannot be used.
    pub id: Option<SchemaId>,
    /// What is wrong; nothing if all is well.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// There are published versions, but no schema to write with.
    NoCurrent,
    /// A text is no schema; no version stands for the current one.
    Unusable {
        /// Which version.
        version: Option<usize>,
        /// Why.
        reason: String,
    },
    /// Records of a published version cannot all be read.
    Unreadable {
        /// Which version.
        version: usize,
        /// What does not fit, and where.
        #[serde(flatten)]
        incompatibility: Incompatibility,
    },
    /// The current schema is none of the published ones.
    Unpublished {
        /// The number that it has to be published under.
        next: usize,
    },
    /// A published version is not what it was, or its id was never noted.
    Changed {
        /// Which version.
        version: usize,
        /// The id that was noted for it.
        noted: Option<SchemaId>,
        /// The id of what stands there.
        found: SchemaId,
    },
    /// A version whose id is noted, or that later versions follow, is not there.
    Missing {
        /// Which version.
        version: usize,
    },
}

impl SchemaFiles {
    /// Holds the current schemas against the published history, and the history against the ids
    /// that were noted for it.
    pub fn check(&self) -> CompatibilityReport {
        let sorted = self.sorted();
        CompatibilityReport {
            topics: sorted
                .topics
                .into_iter()
                .map(|(topic, files)| check_topic(topic, &files))
                .collect(),
            misplaced: sorted.misplaced.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl CompatibilityReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        let mut topics = self.topics.iter();
        self.misplaced.is_empty() && topics.all(|topic| topic.findings.is_empty())
    }
}

fn check_topic(topic: String, files: &TopicFiles<'_>) -> TopicReport {
    let mut findings = Vec::new();
    let current = match files.current.map(usable) {
        None => {
            findings.push(Finding::NoCurrent);
            None
        }
        Some(Ok(schema)) => Some(schema),
        Some(Err(reason)) => {
            findings.push(Finding::Unusable {
                version: None,
                reason,
            });
            None
        }
    };
    let newest = files.versions.keys().next_back().copied().unwrap_or(0);
    let mut newest_id = None;
    for version in 1..=newest.max(files.noted.len()) {
        let noted = files.noted.get(version - 1).copied();
        newest_id = check_version(version, noted, files, current.as_ref(), &mut findings);
    }
    let id = current.map(|schema| schema.id());
    if id.is_some() && id != newest_id {
        findings.push(Finding::Unpublished { next: newest + 1 });
    }
    TopicReport {
        topic,
        versions: files.versions.len(),
        id,
        findings,
    }
}

/// The id of the version, unless it cannot be told.
fn check_version(
    version: usize,
    noted: Option<SchemaId>,
    files: &TopicFiles<'_>,
    current: Option<&AvroSchema>,
    findings: &mut Vec<Finding>,
) -> Option<SchemaId> {
    let Some(text) = files.versions.get(&version) else {
        findings.push(Finding::Missing { version });
        return None;
    };
    let published = match usable(text) {
        Ok(published) => published,
        Err(reason) => {
            findings.push(Finding::Unusable {
                version: Some(version),
                reason,
            });
            return None;
        }
    };
    if noted != Some(published.id()) {
        findings.push(Finding::Changed {
            version,
            noted,
            found: published.id(),
        });
    }
    if let Some(current) = current {
        let (_, problems) = plan(published.parsed(), current.parsed());
        findings.extend(
            problems
                .into_iter()
                .map(|incompatibility| Finding::Unreadable {
                    version,
                    incompatibility,
                }),
        );
    }
    Some(published.id())
}

/// The schema, if it is one that the codec takes.
fn usable(text: &str) -> Result<AvroSchema, String> {
    let schema = AvroSchema::parse(text).map_err(|error| with_sources(&error))?;
    schema.fast().map_err(|error| with_sources(&error))?;
    Ok(schema)
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

impl fmt::Display for CompatibilityReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.topics {
            let TopicReport {
                topic, versions, ..
            } = report;
            let verdict = if report.findings.is_empty() {
                "every published version can be read"
            } else {
                "refused"
            };
            writeln!(formatter, "{topic}: {versions} published, {verdict}")?;
            for finding in &report.findings {
                writeln!(formatter, "  {finding}")?;
            }
        }
        for path in &self.misplaced {
            writeln!(formatter, "{path}: means nothing here")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCurrent => formatter.write_str("there is no schema to write with"),
            Self::Unusable {
                version: None,
                reason,
            } => write!(formatter, "the schema cannot be used: {reason}"),
            Self::Unusable {
                version: Some(version),
                reason,
            } => write!(formatter, "v{version} cannot be used: {reason}"),
            Self::Unreadable {
                version,
                incompatibility,
            } => write!(
                formatter,
                "records of v{version} cannot be read: {incompatibility}"
            ),
            Self::Unpublished { next } => write!(
                formatter,
                "the schema is not the newest published version: publish v{next}"
            ),
            Self::Changed {
                version,
                noted: Some(noted),
                found,
            } => write!(
                formatter,
                "v{version} was published with id {noted} and must not change; what stands there \
                 has id {found}"
            ),
            Self::Changed {
                version,
                noted: None,
                found,
            } => write!(
                formatter,
                "the id of v{version} is not noted in history/ids.json: it is {found}"
            ),
            Self::Missing { version } => write!(formatter, "v{version} is missing in history"),
        }
    }
}
