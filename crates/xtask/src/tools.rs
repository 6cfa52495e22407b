//! What the test run needs on the machine, and how it gets there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cluster::java_program;
use crate::project;

/// The first Java that Kafka's brokers run on.
const JAVA_MIN: u32 = 17;
/// cqlsh speaks to Cassandra and ScyllaDB; its driver is pinned so that runs are alike. Beside it
/// an Avro-aware Kafka client, which reads our topics through the registry endpoints.
const CQLSH: [&str; 3] = [
    "cqlsh==6.2.2",
    "cassandra-driver==3.30.1",
    "confluent-kafka[avro,schemaregistry]==2.16.0",
];

/// A program of the system: Debian's packages that bring it, the first one known is taken.
struct Tool {
    packages: &'static [&'static str],
    is_there: fn() -> bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        packages: &[
            "openjdk-17-jre-headless",
            "openjdk-21-jre-headless",
            "default-jre-headless",
        ],
        is_there: || java_version().is_some_and(|version| version >= JAVA_MIN),
    },
    Tool {
        packages: &["maven"],
        is_there: || runs("mvn", &["--version"]),
    },
    Tool {
        packages: &["kcat"],
        is_there: || runs("kcat", &["-V"]),
    },
    Tool {
        packages: &["sqlite3"],
        is_there: || runs("sqlite3", &["-version"]),
    },
    Tool {
        packages: &["python3-venv"],
        is_there: || runs("python3", &["-c", "import venv, ensurepip"]),
    },
    Tool {
        packages: &["build-essential"],
        is_there: || {
            ["cc", "c++", "make"]
                .iter()
                .all(|program| runs(program, &["--version"]))
        },
    },
    Tool {
        packages: &["perl"],
        is_there: || runs("perl", &["-v"]),
    },
    Tool {
        packages: &["systemd"],
        is_there: || runs("systemd-analyze", &["--version"]),
    },
];

/// Installs what is missing where that is allowed (root, apt-get), else says how.
pub(crate) fn ensure_installed() -> Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !(tool.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !runs("apt-get", &["--version"]) {
        let packages: Vec<&str> = missing
            .iter()
            .filter_map(|tool| tool.packages.first())
            .copied()
            .collect();
        bail!(
            "missing (named as Debian's packages): {}",
            packages.join(" ")
        );
    }
    if fs::metadata("/proc/self")?.uid() != 0 {
        let line = packages_of(&missing).join(" ");
        bail!("tools are missing; this line brings them:\n  sudo apt-get install -y {line}");
    }
    apt_get(&["update", "-q"])?;
    let packages = packages_of(&missing);
    eprintln!("xtask: installing {}", packages.join(" "));
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments)?;
    match missing.iter().find(|tool| !(tool.is_there)()) {
        Some(tool) => bail!(
            "`{}` is installed and does not do",
            tool.packages.join("` or `")
        ),
        None => Ok(()),
    }
}

/// The path of cqlsh, brought into a Python environment of its own when it is not there.
pub(crate) fn cqlsh() -> Result<PathBuf> {
    let programs = python_programs("cqlsh", &CQLSH, &["cqlsh"])?;
    Ok(programs.join("cqlsh"))
}

/// The directory of programs that these packages bring, in a Python environment of its own that is
/// made anew when it is not there or has others.
pub(crate) fn python_programs(name: &str, packages: &[&str], programs: &[&str]) -> Result<PathBuf> {
    let directory = project::tools().join(name);
    let binaries = directory.join("bin");
    let done = directory.join("done");
    if fs::read_to_string(&done).is_ok_and(|versions| versions == packages.concat()) {
        return Ok(binaries);
    }
    python_environment(&directory, packages)?;
    for program in programs {
        must_run(
            Command::new(binaries.join(program))
                .arg("--version")
                .stdout(Stdio::null()),
        )?;
    }
    fs::write(&done, packages.concat())?;
    Ok(binaries)
}

/// A Python environment with these packages; whatever was there is gone.
pub(crate) fn python_environment(directory: &Path, packages: &[&str]) -> Result<()> {
    must_run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(directory),
    )?;
    let pip = directory.join("bin/pip");
    must_run(
        Command::new(pip)
            .args(["install", "-q", "--disable-pip-version-check"])
            .args(packages),
    )
}

/// Runs a program that has to succeed.
pub(crate) fn must_run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start `{program}`"))?;
    if !status.success() {
        bail!("`{program}` failed: {status}");
    }
    Ok(())
}

/// What a program prints, if it is there and succeeds.
pub(crate) fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn java_version() -> Option<u32> {
    let output = Command::new(java_program())
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    major_version(&text)
}

/// From `openjdk version "17.0.15" 2025-04-15`; Java 8 calls itself `1.8`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    version.split(['.', '-', '+']).next()?.parse().ok()
}

fn packages_of(tools: &[&Tool]) -> Vec<&'static str> {
    let known = |package: &&&str| runs("apt-cache", &["show", package]);
    let package = |tool: &&Tool| {
        tool.packages
            .iter()
            .find(known)
            .or_else(|| tool.packages.first())
            .copied()
    };
    tools.iter().filter_map(package).collect()
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    must_run(
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_version_of_java_is_read_from_what_it_says() {
        assert_eq!(
            major_version("openjdk version \"17.0.15\" 2025-04-15\nmore"),
            Some(17)
        );
        assert_eq!(major_version("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(
            major_version("openjdk version \"22-ea\" 2024-03-19"),
            Some(22)
        );
        assert_eq!(major_version("java version \"1.8.0_402\""), Some(1));
        assert_eq!(major_version("no java here"), None);
    }
}
