//! `docker-compose.yml`, `deploy/Dockerfile` and `deploy/kubernetes/`.

use serde_norway::Value;

use super::{
    Variables, assignments, check_arguments, documents, documents_below, filled_in, map, read,
    roles, settings, text, texts,
};
use crate::run::STOP_MAX;
use crate::settings::Listen;

const COMPOSE: &str = "docker-compose.yml";
const KUBERNETES: &str = "deploy/kubernetes";
const SETTINGS: &str = "deploy/kubernetes/base/settings.env";
const SECRET: &str = "deploy/kubernetes/base/secret.example.yaml";
/// Where containers serve their health.
const PORT: u64 = 8080;

fn compose() -> Value {
    documents(COMPOSE).remove(0)
}

/// The services of compose, by name.
fn services() -> Vec<(String, Value)> {
    let services = compose()["services"].as_mapping().unwrap().clone();
    services
        .into_iter()
        .map(|(name, service)| (text(&name), service))
        .collect()
}

fn is_ours(container: &Value) -> bool {
    let image = text(&container["image"]);
    image == "millrace" || image.starts_with("millrace:")
}

/// The `ENV` lines of the image.
fn image_variables() -> Variables {
    let file = read("deploy/Dockerfile");
    let lines = file.lines().filter_map(|line| line.strip_prefix("ENV "));
    assignments(&lines.collect::<Vec<_>>().join("\n"))
}

fn ours(variables: Variables) -> Variables {
    let mut variables = variables;
    variables.retain(|name, _| name.starts_with("MILLRACE_"));
    variables
}

fn check_listens(place: &str, variables: &Variables) {
    let settings = settings(place, variables);
    let Listen::Address(address) = settings.http.listen else {
        panic!("{place}: nobody could ask for its health");
    };
    assert_eq!(address, format!("0.0.0.0:{PORT}"), "{place}");
}

/// The pods of Kubernetes: file, name, specification.
fn pods() -> Vec<(String, String, Value)> {
    let mut pods = Vec::new();
    for (file, document) in documents_below(KUBERNETES) {
        let spec = &document["spec"]["template"]["spec"];
        if !spec.is_null() {
            pods.push((file, text(&document["metadata"]["name"]), spec.clone()));
        }
    }
    assert!(pods.len() > 4, "where are the pods?");
    pods
}

fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().unwrap()
}

#[test]
fn compose_starts_every_role_with_settings_and_arguments_that_the_program_takes() {
    let mut wanted = roles();
    for (name, service) in services().iter().filter(|(_, service)| is_ours(service)) {
        let mut variables = image_variables();
        variables.extend(map(&service["environment"]));
        check_listens(name, &ours(variables));
        let arguments = texts(&service["command"]);
        check_arguments(name, &arguments);
        wanted.retain(|role| arguments != ["run", "--role", role]);
    }
    assert!(wanted.is_empty(), "nobody has the roles {wanted:?}");
}

#[test]
fn pods_start_every_role_with_settings_and_arguments_that_the_program_takes() {
    let shared = assignments(&read(SETTINGS));
    let secret = map(&documents(SECRET).remove(0)["stringData"]);
    let mut wanted = roles();
    for (file, _, pod) in pods() {
        for container in ["initContainers", "containers"].map(|kind| &pod[kind]) {
            for container in container.as_sequence().unwrap_or(&Vec::new()) {
                assert!(is_ours(container), "{file}");
                let mut variables = image_variables();
                variables.extend(shared.clone());
                variables.extend(secret.clone());
                for own in container["env"].as_sequence().unwrap_or(&Vec::new()) {
                    let value = own["value"].as_str().unwrap_or("a-pod-7d9c8b8f9d-abcde");
                    variables.insert(text(&own["name"]), value.to_owned());
                }
                check_listens(&file, &filled_in(ours(variables)));
                let arguments = texts(&container["args"]);
                check_arguments(&file, &arguments);
                wanted.retain(|role| arguments != ["run", "--role", role]);
            }
        }
    }
    assert!(wanted.is_empty(), "nobody has the roles {wanted:?}");
}

#[test]
fn a_template_of_secrets_has_no_secrets() {
    for (name, value) in map(&documents(SECRET).remove(0)["stringData"]) {
        let is_secret = ["USER", "PASSWORD", "USERNAME", "URL"]
            .iter()
            .any(|end| name.ends_with(end));
        assert!(!is_secret || value.is_empty(), "{name}");
    }
}

/// Kubernetes would put `MILLRACE_PORT` and the like into pods beside a Service `millrace…`, and
/// the program refuses what it does not know.
#[test]
fn no_variables_of_kubernetes_itself_reach_the_program() {
    for (file, name, pod) in pods() {
        assert_eq!(
            pod["enableServiceLinks"].as_bool(),
            Some(false),
            "{file}: {name}"
        );
    }
    for (file, document) in documents_below(KUBERNETES) {
        if document["kind"].as_str() == Some("Service") {
            assert!(
                !text(&document["metadata"]["name"]).starts_with("millrace"),
                "{file}"
            );
        }
    }
}

#[test]
fn whoever_stops_the_program_waits_longer_than_a_stop_may_take() {
    for (name, service) in services().iter().filter(|(name, _)| roles().contains(name)) {
        let grace = seconds(&text(&service["stop_grace_period"]));
        assert!(grace > STOP_MAX.as_secs(), "{name}");
    }
    for (file, name, pod) in pods().iter().filter(|(_, name, _)| roles().contains(name)) {
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace > STOP_MAX.as_secs(), "{file}: {name}");
    }
}

#[test]
fn pods_tell_their_health_where_it_is_served() {
    for (file, _, pod) in pods().iter().filter(|(_, name, _)| roles().contains(name)) {
        let container = &pod["containers"][0];
        assert_eq!(
            container["ports"][0]["containerPort"].as_u64(),
            Some(PORT),
            "{file}"
        );
        for (probe, path) in [("livenessProbe", "/live"), ("readinessProbe", "/ready")] {
            let http = &container[probe]["httpGet"];
            assert_eq!(http["path"].as_str(), Some(path), "{file}");
            assert_eq!(http["port"], container["ports"][0]["name"], "{file}");
        }
    }
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    for (file, _, pod) in pods() {
        assert_eq!(
            pod["securityContext"]["runAsNonRoot"].as_bool(),
            Some(true),
            "{file}"
        );
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!(
            security["readOnlyRootFilesystem"].as_bool(),
            Some(true),
            "{file}"
        );
        assert_eq!(
            security["allowPrivilegeEscalation"].as_bool(),
            Some(false),
            "{file}"
        );
        assert_eq!(texts(&security["capabilities"]["drop"]), ["ALL"], "{file}");
    }
}

#[test]
fn every_file_for_kubernetes_is_applied() {
    for directory in ["base", "with-operators"].map(|name| format!("{KUBERNETES}/{name}")) {
        let list = documents(&format!("{directory}/kustomization.yaml")).remove(0);
        let resources = texts(&list["resources"]);
        for (file, _) in documents_below(&directory) {
            let name = file.rsplit('/').next().unwrap();
            let is_apart = ["kustomization.yaml", "secret.example.yaml"].contains(&name);
            assert!(is_apart || resources.iter().any(|it| it == name), "{file}");
        }
    }
}

#[test]
fn images_are_pinned_and_ports_open_to_this_machine_only() {
    for (name, service) in services() {
        let image = text(&service["image"]);
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(
            tag.matches('.').count() == 2,
            "{name}: `{image}` names no one version"
        );
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn the_image_is_named_for_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let image = format!("millrace:{version}");
    for (name, service) in services().iter().filter(|(_, service)| is_ours(service)) {
        assert_eq!(text(&service["image"]), image, "{name}");
    }
    let kustomization = documents("deploy/kubernetes/base/kustomization.yaml").remove(0);
    assert_eq!(text(&kustomization["images"][0]["newTag"]), version);
}

#[test]
fn prometheus_asks_every_role_of_compose() {
    let config = documents("deploy/prometheus/prometheus.yml").remove(0);
    let job = &config["scrape_configs"][0];
    assert_eq!(text(&job["job_name"]), "millrace");
    let asked = &job["dns_sd_configs"][0];
    assert_eq!(texts(&asked["names"]), roles());
    assert_eq!(asked["port"].as_u64(), Some(PORT));
}
