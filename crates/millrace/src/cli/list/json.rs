//! The list for programs: one object a line, each with its kind, its name and its context.

use millrace_eventsourcing::Table;
use serde_json::{Value, json};

use super::start_word;
use crate::cli::App;
use crate::registry::{
    AggregateEntry, Context, PolicyEntry, ProjectionEntry, ReactorEntry, group_of_projection,
};

/// A context, and then everything in it.
pub(super) fn objects(app: &App, context: &Context) -> Vec<Value> {
    let name = context.name();
    let mut objects = vec![json!({"kind": "context", "name": name, "context": name})];
    for entry in context.aggregates() {
        objects.push(aggregate(name, entry.as_ref()));
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

fn aggregate(context: &str, aggregate: &dyn AggregateEntry) -> Value {
    json!({
        "kind": "aggregate",
        "name": aggregate.name(),
        "context": context,
        "commands": aggregate.command_types(),
        "events": aggregate.event_types(),
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
        "start": start_word(app, &group),
        "group": group,
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
        "off": reactor.off(&app.settings),
        "start": start_word(app, group),
        "group": group,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_kind_of_thing_is_one_object() {
        let app = App::new(crate::contexts(), Settings::default());
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
        let accounts = find("projection", "bank.accounts");
        assert_eq!(accounts["tables"], json!(["bank.accounts", "bank.users"]));
        assert_eq!(accounts["follows"], json!(["bank.account"]));
        let bonus = find("policy", "bank.policy.bonus");
        assert_eq!(bonus["start"], "beginning");
        let thank_you = find("reactor", "bank.reactor.thank-you");
        assert!(thank_you["off"].is_string(), "{thank_you}");
    }
}
