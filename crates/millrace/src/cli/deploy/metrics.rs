//! `deploy/prometheus/` and `deploy/grafana/`: names of metrics, and what every alert says.

use std::collections::BTreeSet;

use clap::CommandFactory;
use millrace_runtime::metrics::{ALL, Kind};
use serde_json::Value as Json;
use serde_norway::Value;

use super::{documents, read, text};

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const ALERTS_TEST: &str = "deploy/prometheus/alerts_test.yml";
const DASHBOARD: &str = "deploy/grafana/dashboards/millrace.json";

/// The names under which Prometheus knows a metric.
fn series((name, kind, _): &(&str, Kind, &str)) -> Vec<String> {
    match kind {
        Kind::Counter | Kind::Gauge => vec![(*name).to_owned()],
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|end| format!("{name}{end}"))
            .to_vec(),
    }
}

/// All words that look like the name of a metric of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("millrace_")).collect()
}

/// The queries of the dashboard.
fn queries(value: &Json) -> Vec<String> {
    match value {
        Json::Object(fields) => {
            let own = fields.get("expr").and_then(Json::as_str).map(str::to_owned);
            own.into_iter()
                .chain(fields.values().flat_map(queries))
                .collect()
        }
        Json::Array(items) => items.iter().flat_map(queries).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Vec::new(),
    }
}

fn alerts() -> Vec<Value> {
    let file = documents(ALERTS).remove(0);
    let groups = file["groups"].as_sequence().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_sequence().unwrap());
    let alerts: Vec<_> = rules.cloned().collect();
    assert!(alerts.len() > 10, "where are the alerts?");
    alerts
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_there_are() {
    let known: BTreeSet<String> = ALL.iter().flat_map(series).collect();
    for path in [ALERTS, ALERTS_TEST, DASHBOARD] {
        let text = read(path);
        // A help text may name a histogram as a whole.
        let text = text.lines().filter(|line| !line.contains("action:"));
        let text = text.collect::<Vec<_>>().join("\n");
        let names = names(&text);
        assert!(names.len() > 5, "{path}: where are the metrics?");
        let unknown: Vec<_> = names
            .iter()
            .filter(|name| !known.contains(**name))
            .collect();
        assert!(
            unknown.is_empty(),
            "{path}: there are no such metrics: {unknown:?}"
        );
    }
}

#[test]
fn words_about_metrics_name_those_that_there_are() {
    for alert in alerts() {
        for name in names(&text(&alert["annotations"]["action"])) {
            assert!(ALL.iter().any(|metric| metric.0 == name), "{name}");
        }
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let dashboard: Json = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let queries = queries(&dashboard).join("\n");
    let shown = names(&queries);
    let is_shown = |metric| {
        series(metric)
            .iter()
            .any(|name| shown.contains(name.as_str()))
    };
    let missing: Vec<_> = ALL.iter().filter(|metric| !is_shown(*metric)).collect();
    assert!(
        missing.is_empty(),
        "no panel of {DASHBOARD} asks for {missing:#?}"
    );
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do_and_is_tested() {
    let tests = read(ALERTS_TEST);
    for alert in alerts() {
        let name = text(&alert["alert"]);
        let severity = text(&alert["labels"]["severity"]);
        assert!(
            ["page", "ticket"].contains(&severity.as_str()),
            "{name}: {severity}"
        );
        for words in ["summary", "action"].map(|key| text(&alert["annotations"][key])) {
            assert!(
                !words.is_empty() && !words.contains('\n'),
                "{name}: {words}"
            );
        }
        let mut asked = tests.lines().map(str::trim);
        assert!(
            asked.any(|line| line == format!("alertname: {name}")),
            "{name} has no test"
        );
    }
}

#[test]
fn what_alerts_tell_to_do_the_program_can_do() {
    let program = super::Cli::command();
    let mut found = 0;
    for alert in alerts() {
        let action = text(&alert["annotations"]["action"]);
        for command in action
            .split('`')
            .filter_map(|it| it.strip_prefix("millrace "))
        {
            let mut at = &program;
            for word in command.split(' ').take(2) {
                let below = at.find_subcommand(word);
                assert!(
                    below.is_some() || !at.has_subcommands(),
                    "millrace {command}"
                );
                at = below.unwrap_or(at);
            }
            found += 1;
        }
    }
    assert!(found > 3, "where are the commands?");
}

#[test]
fn the_dashboard_finds_its_data_source() {
    let source = documents("deploy/grafana/provisioning/datasources/prometheus.yaml").remove(0);
    let uid = text(&source["datasources"][0]["uid"]);
    let dashboard: Json = serde_json::from_str(&read(DASHBOARD)).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        if panel["type"] != "row" {
            assert_eq!(
                panel["datasource"]["uid"],
                uid.as_str(),
                "{}",
                panel["title"]
            );
        }
    }
}
