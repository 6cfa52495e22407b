//! The list for programs: one object a line, each with its kind, its name and its context.

use millrace_eventsourcing::Table;
use millrace_runtime::breaker::{FAILURES_MAX, PROBE_INTERVAL};
use millrace_runtime::projector::dependency;
use millrace_runtime::retry::{FACTOR, FIRST_WAIT, WAIT_MAX};
use serde_json::{Map, Value, json};

use super::start_word;
use crate::cli::App;
use crate::registry::{
    AggregateEntry, Context, PolicyEntry, ProjectionEntry, ReactorEntry, group_of_projection,
};
use crate::settings::{show_duration, show_rate_limit};

/// A context, and then everything in it.
pub(super) fn objects(app: &App, context: &Context) -> Vec<Value> {
    let name = context.name();
    let mut objects = vec![json!({"kind": "context", "name": name, "context": name})];
    for entry in context.aggregates() {
        objects.push(aggregate(app, name, entry.as_ref()));
    }
    for entry in context.projections() {
        objects.push(projection(app, name, entry.as_ref()));
    }
    for entry in context.policies() {
        objects.push(policy(app, name, entry.as_ref()));
    }
    for entry in context.reactors() {
        objects.push(reactor(app, name, entry.as_ref()));
    }
    objects
}

fn aggregate(app: &App, context: &str, aggregate: &dyn AggregateEntry) -> Value {
    let limits = app.settings.rate_limits_of(aggregate.name());
    let limits = limits.map(|(kind, limit)| (kind.to_owned(), show_rate_limit(limit).into()));
    json!({
        "kind": "aggregate",
        "name": aggregate.name(),
        "context": context,
        "commands": aggregate.command_types(),
        "events": aggregate.event_types(),
        "limits": limits.collect::<Map<_, _>>(),
    })
}

fn projection(app: &App, context: &str, projection: &dyn ProjectionEntry) -> Value {
    let group = group_of_projection(context, projection.name());
    let table = |table: &&Table| format!("{context}.{}", table.name);
    json!({
        "kind": "projection",
        "name": format!("{context}.{}", projection.name()),
        "context": context,
        "follows": projection.aggregates(),
        "tables": projection.tables().iter().map(table).collect::<Vec<_>>(),
        "revision": projection.revision(),
        "needs": dependency(&group),
        "breaker": breaker(),
        "back_off": back_off(),
        "start": start_word(app, &group),
        "group": group,
    })
}

fn breaker() -> Value {
    json!({"failures": FAILURES_MAX, "probe_interval": show_duration(PROBE_INTERVAL)})
}

fn back_off() -> Value {
    json!({
        "first": show_duration(FIRST_WAIT),
        "factor": FACTOR,
        "most": show_duration(WAIT_MAX),
    })
}

fn policy(app: &App, context: &str, policy: &dyn PolicyEntry) -> Value {
    let group = policy.full_name();
    json!({
        "kind": "policy",
        "name": group,
        "context": context,
        "follows": [policy.aggregate()],
        "sends_to": policy.targets(),
        "is": policy.describe(&app.settings),
        "start": start_word(app, group),
        "group": group,
    })
}

fn reactor(app: &App, context: &str, reactor: &dyn ReactorEntry) -> Value {
    let group = reactor.full_name();
    json!({
        "kind": "reactor",
        "name": group,
        "context": context,
        "follows": [reactor.aggregate()],
        "needs": reactor.dependency(),
        "breaker": breaker(),
        "back_off": back_off(),
        "off": reactor.off(&app.settings),
        "start": start_word(app, group),
        "group": group,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, Sources};

    #[test]
    fn every_kind_of_thing_is_one_object() {
        let registry = crate::contexts();
        let sources = Sources {
            options: vec!["rate-limit.bank.account.CreditAccount=2/200ms".to_owned()],
            ..Sources::default()
        };
        let settings = Settings::load(&sources, &registry.names()).unwrap();
        let app = App::new(registry, settings);
        let contexts = app.registry.contexts().iter();
        let all: Vec<_> = contexts
            .flat_map(|context| objects(&app, context))
            .collect();
        let find = |kind: &str, name: &str| {
            let found = all
                .iter()
                .find(|it| it["kind"] == kind && it["name"] == name);
            found.unwrap_or_else(|| panic!("{kind} {name}: {all:#?}"))
        };
        assert_eq!(find("context", "bank")["context"], "bank");
        let account = find("aggregate", "bank.account");
        assert!(account["commands"].to_string().contains("OpenAccount"));
        assert_eq!(account["limits"], json!({"DepositMoney": "2/200ms"}));
        assert_eq!(find("aggregate", "bank.transfer")["limits"], json!({}));
        let accounts = find("projection", "bank.accounts");
        assert_eq!(accounts["tables"], json!(["bank.accounts", "bank.users"]));
        assert_eq!(accounts["follows"], json!(["bank.account"]));
        assert_eq!(accounts["needs"], "tables/bank.projection.accounts");
        let bonus = find("policy", "bank.policy.bonus");
        assert_eq!(bonus["start"], "beginning");
        let thank_you = find("reactor", "bank.reactor.thank-you");
        assert!(thank_you["off"].is_string(), "{thank_you}");
        for it in [accounts, thank_you] {
            let breaker = json!({"failures": 5, "probe_interval": "2s"});
            assert_eq!(it["breaker"], breaker);
            let back_off = json!({"first": "50ms", "factor": 2, "most": "5s"});
            assert_eq!(it["back_off"], back_off);
        }
    }
}
