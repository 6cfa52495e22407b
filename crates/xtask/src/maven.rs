//! The servers' jars, resolved once by Maven from a pom written from the constants here.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::project;

/// The goal that copies jars; pinned because Debian's default version is older than Java 17.
const DEPENDENCY_PLUGIN: &str = "3.8.1";

/// A server as Maven knows it: artefacts as `(group, artefact, version)`, the server itself first.
#[derive(Debug)]
pub(crate) struct Server {
    artefacts: &'static [(&'static str, &'static str, &'static str)],
}

/// Apache Kafka. 4.4.0 does not resolve (one of its artefacts was never published). Without the
/// log4j binding the broker logs nothing at all, also not that it has started.
pub(crate) const KAFKA: Server = Server {
    artefacts: &[
        ("org.apache.kafka", "kafka_2.13", "4.3.1"),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
    ],
};

/// Apache Cassandra.
pub(crate) const CASSANDRA: Server = Server {
    artefacts: &[("org.apache.cassandra", "cassandra-all", "5.0.9")],
};

impl Server {
    /// The directory with all jars of the server; the first call brings them in.
    ///
    /// Safe to call from several processes at once: one resolves, the others wait for it.
    pub(crate) fn jars(&self) -> Result<PathBuf> {
        let name: Vec<String> = self
            .artefacts
            .iter()
            .map(|(_, artefact, version)| format!("{artefact}-{version}"))
            .collect();
        let directory = project::jars().join(name.join("+"));
        fs::create_dir_all(&directory)?;
        let done = directory.join("done");
        let lock = File::create(directory.join("lock"))?;
        lock.lock()
            .with_context(|| format!("lock `{}`", directory.display()))?;
        if fs::read_to_string(&done).is_ok_and(|pom| pom == self.pom()) {
            return Ok(directory);
        }
        let pom = directory.join("pom.xml");
        fs::write(&pom, self.pom())?;
        let output = Command::new("mvn")
            .args(["-q", "-B", "-Dstyle.color=never", "-f"])
            .arg(&pom)
            .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", directory.display()))
            .stdin(Stdio::null())
            .output()
            .context("start `mvn`: is Maven installed?")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            bail!(
                "`mvn` could not bring the jars of `{}`:\n{said}",
                name.join(", ")
            );
        }
        fs::write(&done, self.pom())?;
        Ok(directory)
    }

    fn pom(&self) -> String {
        let dependencies: Vec<String> = self
            .artefacts
            .iter()
            .map(|(group, artefact, version)| {
                format!(
                    "<dependency><groupId>{group}</groupId><artifactId>{artefact}</artifactId>\
                     <version>{version}</version></dependency>"
                )
            })
            .collect();
        let dependencies = dependencies.join(
            "
    ",
        );
        format!(
            r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    {dependencies}
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId>
    <artifactId>maven-dependency-plugin</artifactId>
    <version>{DEPENDENCY_PLUGIN}</version>
  </plugin></plugins></build>
</project>
"#
        )
    }
}
