//! A running `millrace`.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::wait::until;

/// A worker process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) http: String,
    log: PathBuf,
}

impl Process {
    pub(crate) fn spawn(mut command: Command, http: String, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        Self {
            child: command.spawn().unwrap(),
            http,
            log,
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Status and body of a GET; an error while nobody listens.
    pub(crate) fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.http)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        let body = answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned());
        Ok((status, body.unwrap_or_default()))
    }

    /// Waits until `/ready` says yes.
    pub(crate) fn wait_ready(&self, limit: Duration) {
        until("process ready", limit, || match self.get("/ready") {
            Ok((200, _)) => Ok(()),
            other => Err((other, tail(&self.log()))),
        });
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let limit = Duration::from_secs(30);
        until("graceful stop", limit, || {
            match self.child.try_wait().unwrap() {
                Some(status) => Ok(status),
                None => Err(()),
            }
        })
    }

    /// SIGKILL.
    pub(crate) fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// How the process ended by itself.
    pub(crate) fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        until("the end of the process", limit, || {
            self.child
                .try_wait()
                .unwrap()
                .ok_or_else(|| tail(&self.log()))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), tail(&self.log()));
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
