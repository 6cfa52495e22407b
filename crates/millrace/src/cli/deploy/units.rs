//! `deploy/systemd/`.

use super::{Variables, assignments, check_arguments, filled_in, read, roles, settings};
use crate::run::STOP_MAX;
use crate::settings::Listen;

/// What somebody has who uncomments all that is offered.
fn example(name: &str) -> Variables {
    let text = read(&format!("deploy/systemd/{name}.env.example"));
    assignments(&text.replace("#MILLRACE_", "MILLRACE_"))
}

/// The value of a key of the unit.
fn unit(key: &str) -> String {
    let text = read("deploy/systemd/millrace@.service");
    let assignment = format!("{key}=");
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(&assignment));
    lines.next().unwrap().to_owned()
}

#[test]
fn units_start_every_role_with_settings_and_arguments_that_the_program_takes() {
    let mut addresses = Vec::new();
    for role in roles() {
        let mut variables = example("millrace");
        variables.extend(example(&role));
        let settings = settings(&role, &filled_in(variables));
        let Listen::Address(address) = settings.http.listen else {
            panic!("{role}: nobody could ask for its health");
        };
        assert!(
            settings.http.is_listen_given,
            "{role}: its port would be any"
        );
        assert!(!addresses.contains(&address), "{role}: {address} is taken");
        addresses.push(address);

        let line = unit("ExecStart").replace("%i", &role);
        let arguments: Vec<_> = line.split(' ').skip(1).map(str::to_owned).collect();
        check_arguments(&role, &arguments);
        assert_eq!(arguments, ["run", "--role", &role]);
    }
}

#[test]
fn a_unit_waits_longer_than_a_stop_may_take() {
    assert!(unit("TimeoutStopSec").parse::<u64>().unwrap() > STOP_MAX.as_secs());
}

#[test]
fn a_wrong_setting_is_not_tried_again() {
    let status = unit("RestartPreventExitStatus");
    assert_eq!(status, super::super::WRONG_USAGE.to_string());
}
