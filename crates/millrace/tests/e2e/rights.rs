//! Scenario R10: every role works with the rights that docs/rights.md lists, and has no others.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::acls::{self, Acl};
use super::follower::header;
use super::policies::READY;
use super::process::Process;
use super::rows::cqlsh_as;
use super::servers::Servers;
use super::smtp_server::{Script, Server};
use super::wait::{AFTER_CRASH, EVENTUALLY, until, until_equal};
use super::world::{World, command, unique};

/// What it lists is what is granted here.
const LIST: &str = include_str!("../../../../docs/rights.md");
const CASSANDRA: &str = "cassandra";
const ACCOUNT: &str = "bank.account";

#[test]
fn r10_every_role_works_with_its_rights_and_has_no_others() {
    let post = Server::start([Script::accept()]);
    let bank = Bank::open(&post);
    let mut commands = bank.start("commands-1", &[]);
    let mut projections = bank.start("projections-1", &[cql("projections")].concat());
    let others = ["policies-1", "reactors-1"].map(|instance| bank.start(instance, &[]));
    for process in [&commands, &projections].into_iter().chain(&others) {
        process.wait_ready(READY);
    }
    bank.every_role_does_its_work(&post);
    bank.nobody_does_anothers_work();
    bank.what_cannot_be_read_is_set_aside();
    commands.crash();
    let second = bank.start("commands-2", &[]);
    second.wait_ready(AFTER_CRASH + READY);
    assert_eq!(
        bank.ask("a", "DepositMoney", &json!({"amount": 1}))["status"],
        "accepted"
    );
    assert!(projections.stop().success());
    bank.a_projection_is_rebuilt_by_its_own_role();
}

/// Servers that check rights, with everybody's.
struct Bank {
    world: World,
}

impl Bank {
    /// Makes topics and tables as `set-up`, and grants what is listed.
    fn open(post: &Server) -> Self {
        let users: BTreeSet<_> = table("Kafka").into_iter().map(|row| row[0]).collect();
        let servers = Servers::own_with_rights(users.iter().copied());
        let url = format!("smtp.url={}", post.url());
        let world = World::on(servers, &[&url, "smtp.from=bank@example.org"]);
        let config = world.data_dir().with_file_name("kcat.properties");
        let readers = kafka("readers").map(|(name, value)| {
            let key = name.strip_prefix("MILLRACE_KAFKA_PROPERTIES_").unwrap();
            format!("{}={value}\n", key.to_lowercase().replace('_', "."))
        });
        std::fs::write(&config, readers.concat()).unwrap();
        let mut environment = kafka("readers").to_vec();
        environment.push(("KCAT_CONFIG", config.display().to_string()));
        let bank = Self {
            world: world.with_environment(environment),
        };
        let declared = bank.world.json(&["list", "--json"]);
        acls::grant(&bank.world.servers().kafka, &listed_acls(&declared));
        // The broker answers before it goes by them.
        until("topics", READY, || {
            bank.try_as("set-up", &["topics", "create"])
        });
        bank.grant_cql(&declared);
        bank
    }

    /// The server makes its first user a moment after it answers.
    fn grant_cql(&self, declared: &[Value]) {
        let grants = listed_grants(declared);
        let users: BTreeSet<_> = table("CQL").into_iter().map(|row| row[0]).collect();
        let make = |user: &&str| {
            format!(
                "CREATE ROLE IF NOT EXISTS \"{user}\" WITH LOGIN = true AND PASSWORD = '{user}';"
            )
        };
        let of_set_up = |grant: &&String| grant.contains("ALL KEYSPACES");
        let mut first: Vec<_> = users.iter().map(make).collect();
        first.extend(grants.iter().filter(of_set_up).cloned());
        let as_admin = |statements: &[String]| {
            let done = cqlsh_as(CASSANDRA, &self.world.servers().cql, &statements.concat());
            good(&done).map(drop)
        };
        until("the first user", READY, || as_admin(&first));
        until("tables", READY, || self.try_as("set-up", &["migrate"]));
        let rest: Vec<_> = grants
            .into_iter()
            .filter(|grant| !of_set_up(&grant))
            .collect();
        as_admin(&rest).unwrap();
    }

    /// Starts the role that the instance is named after; transactional ids begin with its name.
    fn start(&self, instance: &str, more: &[(&'static str, String)]) -> Process {
        let (role, _) = instance.split_once('-').unwrap();
        let mut environment = kafka(role).to_vec();
        environment.extend_from_slice(more);
        let instance = format!("instance={instance}");
        self.world
            .run_with(&environment, &["--role", role, "--set", &instance])
    }

    /// Runs the program as a user of both servers to its end.
    fn try_as(&self, user: &str, arguments: &[&str]) -> Result<String, String> {
        let mut program = self.world.millrace(arguments);
        program.envs(kafka(user)).envs(cql(user));
        good(&program.output().unwrap())
    }

    fn cqlsh(&self, user: &str, statement: &str) -> Result<String, String> {
        good(&cqlsh_as(user, &self.world.servers().cql, statement))
    }

    /// Writes one record with kcat.
    fn write(&self, user: &str, topic: &str, key: &str, value: &str) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), value).unwrap();
        let [protocol, mechanism, name, password] = kafka(user).map(|(_, value)| value);
        let mut kcat = Command::new("kcat");
        kcat.args([
            "-b",
            &self.world.servers().kafka,
            "-P",
            "-t",
            topic,
            "-k",
            key,
        ])
        .args(["-X", "topic.partitioner=murmur2_random"])
        .args(["-X", &format!("security.protocol={protocol}")])
        .args(["-X", &format!("sasl.mechanisms={mechanism}")])
        .args(["-X", &format!("sasl.username={name}")])
        .args(["-X", &format!("sasl.password={password}")])
        .arg(file.path())
        .stdin(Stdio::null());
        good(&kcat.output().expect("kcat is needed"))
    }

    /// Sends a command as `senders`; the answer, as `readers` see it.
    fn ask(&self, account: &str, kind: &str, data: &Value) -> Value {
        let command = command(kind, data);
        let id = command["command_id"].as_str().unwrap();
        let topic = format!("{ACCOUNT}.commands");
        self.write("senders", &topic, account, &command.to_string())
            .unwrap();
        self.world.outcome(id)
    }

    /// A row, as `queries` see it, once it is as wanted.
    fn row(&self, of: &[&str], is_wanted: impl Fn(&Value) -> bool) {
        let query = [&["query", "--json"], of].concat();
        until(&format!("{of:?}"), EVENTUALLY, || {
            let row = self.try_as("queries", &query)?;
            match serde_json::from_str(&row) {
                Ok(row) if is_wanted(&row) => Ok(()),
                _ => Err(row),
            }
        });
    }

    fn every_role_does_its_work(&self, post: &Server) {
        for account in ["CEO", "a", "b"] {
            let owner = json!({"first_name": "A", "last_name": "B", "email": "a@b"});
            assert_eq!(
                self.ask(account, "OpenAccount", &owner)["status"],
                "accepted"
            );
        }
        let deposit = self.ask("a", "DepositMoney", &json!({"amount": 1000}));
        assert_eq!(deposit["status"], "accepted", "{deposit}");
        self.row(&["bank.accounts", "CEO"], |row| row["balance"] == 10);
        post.wait(|seen| seen.mails.iter().any(|mail| mail.to == "<a@b>"));
        // Its answers come from the command workers, and its follow-ups from its policy.
        let transfer = json!({"from_account": "a", "to_account": "b", "amount": 600});
        let send = [
            "send",
            "bank.transfer",
            "t",
            "TransferMoney",
            &transfer.to_string(),
        ];
        self.try_as("senders", &send).unwrap();
        self.row(&["bank.transfers", "t"], |row| row["status"] == "completed");
        self.row(&["bank.accounts", "b"], |row| row["balance"] == 600);
        for look in [
            &["status"][..],
            &["history", ACCOUNT, "a"],
            &["dead-letters", "list"],
        ] {
            self.world.expect(look);
        }
        assert!(
            self.world
                .expect(&["status"])
                .contains("bank.projection.accounts")
        );
    }

    fn nobody_does_anothers_work(&self) {
        let events = || {
            self.world
                .json(&["tail", "bank.account.events", "--json"])
                .len()
        };
        let before = events();
        for (user, topic) in [
            ("projections", "events"),
            ("projections", "outcomes"),
            ("policies", "events"),
            ("reactors", "commands"),
            ("senders", "events"),
            ("readers", "commands"),
            ("set-up", "commands"),
        ] {
            let topic = format!("{ACCOUNT}.{topic}");
            let said = self.write(user, &topic, "a", "{}").expect_err(user);
            assert!(said.contains("authorization failed"), "{user}: {said}");
        }
        assert_eq!(events(), before);
        let row = "INSERT INTO bank.accounts (id, balance) VALUES ('a', 1)";
        for (user, statement, missing) in [
            ("queries", row, "MODIFY"),
            ("queries", "TRUNCATE bank.accounts", "MODIFY"),
            ("projections", "DROP TABLE bank.accounts", "DROP"),
            (
                "projections",
                "ALTER TABLE bank.accounts ADD more text",
                "ALTER",
            ),
        ] {
            let said = self.cqlsh(user, statement).expect_err(statement);
            assert!(said.contains(&format!("no {missing} permission")), "{said}");
        }
        // Nothing of what the command workers know opens the read tables.
        let nobody = self.world.output(&["query", "bank.accounts"]);
        let said = good(&nobody).unwrap_err();
        assert!(said.contains("the server asks for `scylla.user`"), "{said}");
    }

    fn what_cannot_be_read_is_set_aside(&self) {
        let key = unique("garbage");
        for (user, topic) in [("senders", "commands"), ("admin", "events")] {
            let topic = format!("{ACCOUNT}.{topic}");
            self.write(user, &topic, &key, "neither of them").unwrap();
        }
        let letters = self.world.follow("bank.account.dead-letters");
        let expected = [
            "bank.account.commands",
            "bank.policy.bonus",
            "bank.projection.accounts",
            "bank.projection.journal",
            "bank.reactor.thank-you",
        ];
        until_equal(
            "a dead letter of each",
            EVENTUALLY,
            &expected.map(str::to_owned).into(),
            || {
                let letters = letters.records(|letter| letter["key"] == *key);
                let task = |letter: &Value| header(letter, "dead-letter-task").unwrap().to_owned();
                letters.iter().map(task).collect::<BTreeSet<_>>()
            },
        );
    }

    fn a_projection_is_rebuilt_by_its_own_role(&self) {
        let rebuilt = self.try_as("projections", &["rebuild", "bank.accounts"]);
        rebuilt.unwrap();
        self.row(&["bank.accounts", "b"], |row| row["balance"] == 600);
    }
}

/// What a program says: on standard output when it ended well, else everything.
fn good(output: &Output) -> Result<String, String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(text + &String::from_utf8_lossy(&output.stderr))
}

/// What makes the program a user of Kafka, whose password is the name.
fn kafka(user: &str) -> [(&'static str, String); 4] {
    [
        (
            "MILLRACE_KAFKA_PROPERTIES_SECURITY_PROTOCOL",
            "sasl_plaintext".to_owned(),
        ),
        (
            "MILLRACE_KAFKA_PROPERTIES_SASL_MECHANISMS",
            "PLAIN".to_owned(),
        ),
        ("MILLRACE_KAFKA_PROPERTIES_SASL_USERNAME", user.to_owned()),
        ("MILLRACE_KAFKA_PROPERTIES_SASL_PASSWORD", user.to_owned()),
    ]
}

/// The same of the CQL server.
fn cql(user: &str) -> [(&'static str, String); 2] {
    [
        ("MILLRACE_SCYLLA_USER", user.to_owned()),
        ("MILLRACE_SCYLLA_PASSWORD", user.to_owned()),
    ]
}

/// The cells of the table under this heading of the list.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, text) = LIST.split_once(&format!("\n## {heading}\n")).unwrap();
    let (text, _) = text.split_once("\n## ").unwrap_or((text, ""));
    let lines = text.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &'static str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`')).collect()
    };
    lines.skip(2).map(cells).collect()
}

fn listed_acls(declared: &[Value]) -> Vec<Acl> {
    let mut acls = BTreeSet::new();
    for row in table("Kafka") {
        for name in names(row[0], row[2], declared) {
            acls.extend(row[3].split(", ").map(|operation| Acl {
                user: row[0].to_owned(),
                resource: row[1].to_owned(),
                name: name.clone(),
                operation: operation.to_owned(),
            }));
        }
    }
    acls.into_iter().collect()
}

fn listed_grants(declared: &[Value]) -> Vec<String> {
    let mut grants = Vec::new();
    for row in table("CQL") {
        for on in names(row[0], row[1], declared) {
            let grant = |permission| format!("GRANT {permission} ON {on} TO \"{}\";", row[0]);
            grants.extend(row[2].split(", ").map(grant));
        }
    }
    grants
}

/// The names that a pattern with `<…>` stands for, as the program lists what it has.
fn names(role: &str, pattern: &str, declared: &[Value]) -> BTreeSet<String> {
    let Some((before, rest)) = pattern.split_once('<') else {
        return BTreeSet::from([pattern.to_owned()]);
    };
    let (word, after) = rest.split_once('>').unwrap();
    let (kind, field) = match word {
        "follows" => (role, "follows"),
        "target" => (role, "sends_to"),
        "aggregate" | "context" => (word, "name"),
        group => (group, "group"),
    };
    let kind = match kind {
        "projections" => "projection",
        "policies" => "policy",
        "reactors" => "reactor",
        other => other,
    };
    let of_kind = declared.iter().filter(|one| one["kind"] == kind);
    let found: BTreeSet<_> = of_kind
        .flat_map(|one| {
            let all = one[field].as_array().cloned();
            all.unwrap_or_else(|| vec![one[field].clone()])
        })
        .map(|name| format!("{before}{}{after}", name.as_str().unwrap()))
        .collect();
    assert!(!found.is_empty(), "{role}: `{pattern}` names nothing");
    found
}
