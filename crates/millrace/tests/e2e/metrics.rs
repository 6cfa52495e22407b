//! What a running process shows over HTTP.

use serde_json::Value;

use super::place::{Place, in_both_places, shared};
use super::wait::{EVENTUALLY, until_equal};
use super::world::{World, unique};

in_both_places! {
    lag_comes_to_zero_without_further_work
    every_promised_metric_has_a_help_text
    schemas_are_served_as_a_registry_serves_them
}

fn lag_comes_to_zero_without_further_work(place: Place) {
    let world = shared(place);
    world.expect(&[
        "send",
        "bank.account",
        &unique("acc"),
        "OpenAccount",
        r#"{"first_name":"A","last_name":"B","email":"a@b"}"#,
        "--wait",
    ]);
    let limit = EVENTUALLY * 4;
    until_equal("lag", limit, &0.0, || {
        World::metric(
            world.process(),
            &["millrace_projection_lag_records", "accounts"],
        )
    });
}

fn every_promised_metric_has_a_help_text(place: Place) {
    let world = shared(place);
    let owner = r#"{"first_name":"A","last_name":"B","email":"a@b"}"#;
    let id = unique("counted");
    let account = unique("acc");
    world.expect(&[
        "send",
        "bank.account",
        &account,
        "OpenAccount",
        owner,
        "--command-id",
        &id,
    ]);
    world.expect(&["wait", &id, "--projection", "bank.accounts"]);
    let (status, text) = world.process().get("/metrics").unwrap();
    assert_eq!(status, 200);
    for name in [
        "millrace_commands_total",
        "millrace_command_seconds",
        "millrace_events_total",
        "millrace_projected_events_total",
        "millrace_projection_lag_records",
        "millrace_restore_seconds",
        "millrace_task_state",
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}\n{text}");
    }
    assert_eq!(world.process().get("/live").unwrap().0, 200);
}

fn schemas_are_served_as_a_registry_serves_them(place: Place) {
    let world = shared(place);
    let get = |path: &str| -> Value {
        let (status, body) = world.process().get(path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    let subjects = get("/subjects");
    assert!(
        subjects
            .as_array()
            .unwrap()
            .contains(&"bank.account.events-value".into())
    );
    let latest = get("/subjects/bank.account.events-value/versions/latest");
    let by_id = get(&format!("/schemas/ids/{}", latest["id"]));
    assert_eq!(by_id["schema"], latest["schema"]);
    assert_eq!(
        world.process().get("/subjects/none/versions").unwrap().0,
        404
    );
}

/// `confluent-kafka` for Python fetches the schema by the id in the record, as any such client does.
#[test]
fn an_avro_aware_client_decodes_events_through_the_registry_endpoints() {
    let world = shared(Place::Servers);
    let account = unique("acc");
    let owner = r#"{"first_name":"A","last_name":"B","email":"a@b","initial_balance":7}"#;
    world.expect(&[
        "send",
        "bank.account",
        &account,
        "OpenAccount",
        owner,
        "--wait",
    ]);
    let cqlsh = std::env::var("MILLRACE_CQLSH").expect("MILLRACE_CQLSH: cargo xtask test");
    let python = std::path::Path::new(&cqlsh).with_file_name("python");
    let output = std::process::Command::new(python)
        .args(["-c", include_str!("avro_client.py")])
        .arg(&world.servers().kafka)
        .arg(format!("http://{}", world.process().http))
        .args(["bank.account.events", &account])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(event["version"], 1);
    assert_eq!(event["payload"]["initial_balance"], 7);
}
