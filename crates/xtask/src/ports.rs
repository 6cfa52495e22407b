//! Ports for servers: the usual one when it is free, else one nobody else of ours will take.
//!
//! A port stays reserved while its cluster exists, also while a node is down: a test that kills a
//! node must find the port free when it starts the node again. Chosen ports lie below the range
//! the kernel takes for outgoing connections, for the same reason.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::project;

/// Ports to choose from; Linux hands out 32768 and up by itself.
const CHOICE: std::ops::Range<u16> = 20_000..32_000;

/// Which ports are taken by which cluster; held under a lock while one is chosen.
#[derive(Debug)]
pub(crate) struct Registry {
    entries: Vec<Entry>,
    file: PathBuf,
    _lock: File,
}

/// One cluster's ports.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The cluster's file: the entry ends with it.
    cluster: PathBuf,
    ports: Vec<u16>,
}

impl Registry {
    /// Opens the registry and keeps others out of it until the value is dropped.
    pub(crate) fn open() -> Result<Self> {
        fs::create_dir_all(project::servers())?;
        let file = project::servers().join("ports.json");
        let lock = File::create(project::servers().join("ports.lock"))?;
        lock.lock().context("lock the list of ports")?;
        let mut entries: Vec<Entry> = match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        entries.retain(|entry| entry.cluster.exists());
        Ok(Self {
            entries,
            file,
            _lock: lock,
        })
    }

    /// A port that is free on all of the first `hosts` loopback addresses: `usual`, when it is.
    pub(crate) fn choose(&self, usual: u16, hosts: u8, not: &[u16]) -> Result<u16> {
        let others = CHOICE.skip(usize::from(start_of_search()));
        for port in std::iter::once(usual).chain(others).chain(CHOICE) {
            let reserved = self.entries.iter().any(|entry| entry.ports.contains(&port));
            let free = || (1..=hosts).all(|host| is_free(loopback(host, port)));
            if !reserved && !not.contains(&port) && free() {
                return Ok(port);
            }
        }
        bail!("no free port between {} and {}", CHOICE.start, CHOICE.end)
    }

    /// Notes the ports of a cluster; its file must exist by the time the registry is closed.
    pub(crate) fn reserve(mut self, cluster: &Path, ports: Vec<u16>) -> Result<()> {
        self.entries.push(Entry {
            cluster: cluster.to_path_buf(),
            ports,
        });
        fs::write(&self.file, serde_json::to_string_pretty(&self.entries)?)?;
        Ok(())
    }
}

/// The address of `port` on the loopback host 127.0.0.`host`.
pub(crate) fn loopback(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), port)
}

/// Whether a server could listen there now.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// Other checkouts on this machine have a registry of their own: start apart from them.
fn start_of_search() -> u16 {
    let spread = u32::from(CHOICE.end - CHOICE.start);
    u16::try_from(std::process::id().wrapping_mul(97) % spread).unwrap_or_default()
}
