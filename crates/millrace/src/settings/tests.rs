use std::time::Duration;

use super::*;

fn names() -> Names {
    Names {
        consumers: ["projection.accounts", "reactor.thank-you"]
            .map(str::to_owned)
            .into(),
        groups: BTreeSet::from(["bank.account.commands".to_owned()]),
        command_types: ["DepositMoney", "CreditAccount"]
            .map(|name| {
                let canonical = "bank.account.DepositMoney";
                (format!("bank.account.{name}"), canonical.to_owned())
            })
            .into(),
    }
}

/// A file of its own for each test, gone with the value.
struct File(tempfile::NamedTempFile);

impl File {
    fn new(text: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Self(file)
    }
}

fn load(file: &str, environment: &[(&str, &str)], options: &[&str]) -> Result<Settings, String> {
    let file = File::new(file);
    let sources = Sources {
        file: Some(file.0.path().to_owned()),
        environment: environment
            .iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    Settings::load(&sources, &names()).map_err(|error| error.to_string())
}

#[test]
fn without_any_source_all_defaults_hold() {
    let settings = load("", &[], &[]).unwrap();
    assert_eq!(settings.backend, Backend::Embedded);
    assert_eq!(settings.partitions, 12);
    assert_eq!(settings.dedupe_window, 32);
    assert_eq!(settings.scylla.durable_after, Duration::from_secs(30));
    assert_eq!(settings.kafka.transaction_timeout, Duration::from_secs(10));
    assert_eq!(settings.start("projection.accounts"), Start::Beginning);
    assert_eq!(settings.start("reactor.thank-you"), Start::End);
    assert!(!settings.http.is_listen_given);
    assert!(!settings.instance.is_empty());
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let file = "partitions = 1\nworkers = 1\n[kafka]\nbrokers = ['a:1', 'b:2']";
    let environment = [("MILLRACE_PARTITIONS", "2"), ("MILLRACE_WORKERS", "2")];
    let settings = load(file, &environment, &["workers=3", "workers=4"]).unwrap();
    assert_eq!((settings.partitions, settings.workers), (2, 4));
    assert_eq!(settings.kafka.brokers, ["a:1", "b:2"]);
}

#[test]
fn variables_stand_for_keys_with_dots_and_dashes() {
    let environment = [
        ("MILLRACE_KAFKA_SESSION_TIMEOUT", "6s"),
        ("MILLRACE_DATA_DIR", "there"),
        ("MILLRACE_KAFKA_PROPERTIES_LINGER_MS", "5"),
        ("MILLRACE_REACTOR_THANK_YOU_START", "beginning"),
        ("OTHER", "is not ours"),
    ];
    let settings = load("", &environment, &[]).unwrap();
    assert_eq!(settings.kafka.session_timeout, Duration::from_secs(6));
    assert_eq!(settings.data_dir, Path::new("there"));
    assert_eq!(settings.kafka.properties["linger.ms"], "5");
    assert_eq!(settings.start("reactor.thank-you"), Start::Beginning);
}

#[test]
fn a_property_of_the_client_may_stand_in_a_file_in_any_way_of_toml() {
    let quoted = "[kafka.properties]\n'linger.ms' = 5";
    let dotted = "kafka.properties.linger.ms = '5'";
    for file in [quoted, dotted] {
        assert_eq!(
            load(file, &[], &[]).unwrap().kafka.properties["linger.ms"],
            "5"
        );
    }
}

#[test]
fn a_consistency_level_may_be_written_as_cql_writes_it() {
    let settings = load("", &[], &["scylla.consistency=LOCAL_QUORUM"]).unwrap();
    assert_eq!(settings.scylla.consistency, "local-quorum");
}

/// A wrong value of each setting; those whose name depends on what is registered stand last.
const WRONG: &[(&str, &str)] = &[
    ("backend", "sqlite"),
    ("data-dir", ""),
    ("instance", "a b"),
    ("partitions", "0"),
    ("replication-factor", "-1"),
    ("workers", "65"),
    ("accept-gap", "no.such.group"),
    ("dedupe.window", "1001"),
    ("http.listen", "8080"),
    ("schema-registry.url", "host:8081"),
    ("log.format", "xml"),
    ("log.level", "loud"),
    ("kafka.brokers", ""),
    ("kafka.session-timeout", "10"),
    ("kafka.transaction-timeout", "1h"),
    ("scylla.nodes", "host"),
    ("scylla.user", "a\nb"),
    ("scylla.password", "a\nb"),
    ("scylla.replication-factor", "x"),
    ("scylla.consistency", "some"),
    ("scylla.durable-after", "-1s"),
    ("smtp.url", "http://host"),
    ("smtp.from", "nobody"),
    ("smtp.timeout", "99ms"),
    ("bonus.account", ""),
    ("bonus.divisor", "0"),
    ("bonus.cap", "1.5"),
    ("projection.accounts.start", "middle"),
    ("rate-limit.bank.account.DepositMoney", "0/200ms"),
    ("rate-limit.bank.account.DepositMoney", "2/200"),
    ("rate-limit.bank.account.CreditAccount", "2"),
];

#[test]
fn every_setting_is_among_those_that_are_tried_with_a_wrong_value() {
    for setting in declared::all() {
        let is_tried = WRONG.iter().any(|(key, _)| *key == setting.key);
        assert!(is_tried, "{} is not tested", setting.key);
    }
}

#[test]
fn every_wrong_value_is_refused_with_its_key_wherever_it_is_given() {
    for (key, value) in WRONG {
        let text = toml::Value::String((*value).to_owned());
        let variable = format!("{ENVIRONMENT_PREFIX}{}", variable_of_key(key));
        let given = [
            (load(&format!("\n{key} = {text}"), &[], &[]), ":2)"),
            (load("", &[(&variable, value)], &[]), variable.as_str()),
            (load("", &[], &[&format!("{key}={value}")]), "command line"),
        ];
        for (result, place) in given {
            let error = result.unwrap_err();
            assert!(error.contains(&format!("`{key}`")), "{key}: {error}");
            assert!(error.contains(place), "{key}, {place}: {error}");
            assert!(!error.contains("; "), "nothing else is wrong: {error}");
        }
    }
}

#[test]
fn a_rate_limit_holds_for_the_type_under_whatever_name() {
    let limits = |file: &str, environment: &[(&str, &str)], options: &[&str]| {
        let settings = load(file, environment, options).unwrap();
        let limits = settings.rate_limits_of("bank.account");
        let limits = limits.map(|(kind, limit)| format!("{kind} {}", show_rate_limit(limit)));
        let limits = limits.collect::<Vec<_>>();
        (limits, show::effective(&settings, &names()))
    };
    let file = "[rate-limit.bank.account]\nCreditAccount = '2/200ms'";
    let (found, shown) = limits(file, &[], &[]);
    assert_eq!(found, ["DepositMoney 2/200ms"]);
    let line = "rate-limit.bank.account.DepositMoney = \"2/200ms\"";
    assert!(shown.contains(line), "{shown}");
    let (again, _) = limits(&shown, &[], &[]);
    assert_eq!(again, found);
    let variable = "MILLRACE_RATE_LIMIT_BANK_ACCOUNT_DEPOSITMONEY";
    let (found, _) = limits(file, &[(variable, "3/1s")], &[]);
    assert_eq!(found, ["DepositMoney 3/1s"], "whoever says it last");
    let option = "rate-limit.bank.account.CreditAccount=4/1m";
    let (found, shown) = limits("", &[(variable, "3/1s")], &[option]);
    assert_eq!(found, ["DepositMoney 4/1m"]);
    assert_eq!(shown.matches("rate-limit.").count(), 1, "{shown}");
    assert!(limits("", &[], &[]).0.is_empty());
}

#[test]
fn unknown_keys_are_refused_wherever_they_are_given() {
    let error = load("\npartition = 1", &[], &[]).unwrap_err();
    assert!(
        error.contains("`partition`") && error.contains(":2)"),
        "{error}"
    );
    let error = load("", &[("MILLRACE_NO_SUCH", "1")], &[]).unwrap_err();
    assert!(error.contains("`MILLRACE_NO_SUCH`"), "{error}");
    for key in [
        "projection.no.start",
        "kafka.properties.",
        "kafka",
        "bonus.start",
        "rate-limit.",
        "rate-limit.bank.account",
        "rate-limit.bank.account.Deposit",
        "rate-limit.bank.no.DepositMoney",
        "rate-limit.DepositMoney",
    ] {
        let error = load("", &[], &[&format!("{key}=1")]).unwrap_err();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
    assert!(
        load("", &[], &["partitions"])
            .unwrap_err()
            .contains("KEY=VALUE")
    );
    assert!(
        load("partitions = 1.5", &[], &[])
            .unwrap_err()
            .contains("`partitions`")
    );
}

#[test]
fn a_value_that_another_replaces_is_checked_too() {
    let error = load("partitions = 0", &[], &["partitions=1", "workers=0"]).unwrap_err();
    assert!(
        error.contains("`partitions`") && error.contains("`workers`"),
        "{error}"
    );
}

#[test]
fn what_the_adapters_refuse_is_named_too() {
    for (option, key) in [
        (
            "kafka.properties.enable.idempotence=false",
            "kafka.properties.enable.idempotence",
        ),
        (
            "kafka.properties.no.such.key=1",
            "kafka.properties.no.such.key",
        ),
        ("scylla.password=hunter2", "scylla.user"),
        (
            "schema-registry.url=http://user:hunter2@host",
            "schema-registry.url",
        ),
        ("smtp.url=smtp://user:hunter2@host?tls=maybe", "smtp.url"),
        ("smtp.url=smtp://hunter2@host", "smtp.url"),
    ] {
        let error = load("", &[], &[option]).unwrap_err();
        assert!(error.contains(&format!("`{key}`")), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_sender_that_no_mail_server_takes_is_refused() {
    let from = "smtp.from=a..b@host";
    let error = load("", &[], &["smtp.url=smtp://host", from]).unwrap_err();
    assert!(error.contains("`smtp.from`"), "{error}");
}

#[test]
fn an_attempt_to_send_a_mail_has_its_time() {
    let timeout = |options: &[&str]| load("", &[], options).map(|it| it.smtp.timeout);
    assert_eq!(timeout(&[]), Ok(Duration::from_secs(5)));
    for (given, expected) in [("100ms", 100), ("10m", 600_000)] {
        let given = format!("smtp.timeout={given}");
        assert_eq!(timeout(&[&given]), Ok(Duration::from_millis(expected)));
    }
    assert!(timeout(&["smtp.timeout=601s"]).is_err());
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let sources = Sources {
        file: Some("/no/such/file".into()),
        ..Sources::default()
    };
    let error = Settings::load(&sources, &names()).unwrap_err().to_string();
    assert!(
        error.contains("--config") && error.contains("/no/such/file"),
        "{error}"
    );
}

#[test]
fn secrets_are_never_shown() {
    let options = [
        "scylla.user=jon",
        "scylla.password=hunter2",
        "smtp.url=smtp://user:hunter2@host",
        "kafka.properties.sasl.password=hunter2",
        "kafka.properties.ssl.key.pem=hunter2",
    ];
    let settings = load("", &[], &options).unwrap();
    let shown = show::effective(&settings, &names());
    assert!(shown.contains("scylla.password is set") && shown.contains("sasl.password is set"));
    assert!(!shown.contains("hunter2"), "{shown}");
    let debug = format!("{:?} {:?}", settings.scylla, settings.smtp);
    assert!(!debug.contains("hunter2"), "{debug}");
    let error = load("scylla.password = 'hunter2\n", &[], &[]).unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
    let error = load("", &[], &["smtp.url=http://hunter2"]).unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let listed = show::defaults(&names());
    for setting in declared::all() {
        assert!(
            listed.contains(setting.key) && !setting.help.is_empty(),
            "{}",
            setting.key
        );
    }
    assert!(listed.contains("projection.accounts.start"), "{listed}");
    load(&listed, &[], &[]).unwrap();
    let settings = load("", &[], &["kafka.properties.linger.ms=5", "log.level=warn"]).unwrap();
    let again = load(&show::effective(&settings, &names()), &[], &[]).unwrap();
    assert_eq!(again.kafka, settings.kafka);
    assert_eq!(
        (again.instance, again.log),
        (settings.instance, settings.log)
    );
}

#[test]
fn no_two_settings_have_one_variable() {
    let variables: BTreeSet<_> = declared::all()
        .map(|setting| variable_of_key(setting.key))
        .collect();
    assert_eq!(variables.len(), declared::all().count());
}
