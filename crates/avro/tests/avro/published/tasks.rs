//! Task records of policies and reactors.

use super::*;

const STATES_V1: &str = include_str!("../../fixtures/task.state.v1.hex");

fn records() -> [TaskRecord; 2] {
    let owned = TaskRecord {
        owner: Some("millrace.one.x.bank.policy.bonus.0".to_owned()),
        next_offset: 77,
    };
    let released = TaskRecord {
        owner: None,
        next_offset: 0,
    };
    [owned, released]
}

#[test]
fn task_records_of_the_first_version_can_be_read() {
    assert_reads("millrace.task.state", STATES_V1, &records());
}

#[test]
fn policies_and_reactors_share_one_schema_under_subjects_of_their_own() {
    let owners = ["bank.policy.bonus", "bank.reactor.thank-you"];
    let mut catalogue = Catalogue::new();
    for owner in owners {
        catalogue.publish_tasks(owner).unwrap();
    }
    let subjects = owners.map(|owner| format!("{owner}.state-value"));
    assert_eq!(catalogue.subjects(), subjects);
    let codecs = subjects.map(|it| AvroCodec::<TaskRecord>::new(&it, &catalogue).unwrap());
    let [bonus, thank_you] = &codecs;
    assert_eq!(bonus.id(), thank_you.id());
    for record in records() {
        let mut bytes = Vec::new();
        bonus.encode(&record, &mut bytes).unwrap();
        assert_eq!(bonus.decode(&bytes).as_ref(), Ok(&record));
        assert_eq!(thank_you.decode(&bytes), Ok(record));
    }
}
