//! The servers a command is about: one service or both, below one directory.

use std::path::PathBuf;
use std::thread;

use anyhow::{Result, bail};

use crate::cluster::{Cluster, Options, RUN, Service};

/// Servers below one directory.
#[derive(Debug)]
pub(crate) struct Servers {
    /// Which ones; both when absent.
    pub(crate) service: Option<Service>,
    /// Where they are.
    pub(crate) directory: PathBuf,
    /// The test run whose end is theirs too.
    run: Option<String>,
}

impl Servers {
    /// `service`, or both, below `directory`.
    pub(crate) fn of(service: Option<Service>, directory: PathBuf) -> Self {
        Self {
            service,
            directory,
            run: std::env::var(RUN).ok(),
        }
    }

    /// The same, as part of the test run named `run`.
    pub(crate) fn for_run(self, run: &str) -> Self {
        Self {
            run: Some(run.to_owned()),
            ..self
        }
    }

    /// Starts what is down, at the same time, and waits until all of it answers.
    pub(crate) fn up(&self, options: &Options, port: Option<u16>) -> Result<()> {
        thread::scope(|scope| {
            let starts: Vec<_> = self
                .services()
                .into_iter()
                .map(|service| scope.spawn(move || self.service_up(service, options, port)))
                .collect();
            for start in starts {
                start
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(())
        })
    }

    /// Stops them; `wipe` deletes their data, so nothing is waited for.
    pub(crate) fn down(&self, kill: bool, wipe: bool) -> Result<()> {
        for cluster in self.clusters()? {
            if wipe {
                cluster.wipe()?;
            } else {
                cluster.down(kill)?;
            }
        }
        Ok(())
    }

    /// One line a node; whether all of them are ready.
    pub(crate) fn print_status(&self) -> Result<bool> {
        let mut all_ready = true;
        for service in self.services() {
            let Some(cluster) = Cluster::load(&service.directory(&self.directory))? else {
                println!("{service}: not set up");
                all_ready = false;
                continue;
            };
            for node in &cluster.nodes {
                let process = cluster.process(node);
                let ready = cluster.is_ready(node);
                all_ready &= ready;
                let condition = match (process.pid(), process.resident_mib()) {
                    (Some(pid), Some(mib)) => {
                        let word = if ready { "ready" } else { "not ready" };
                        format!("pid {pid} rss {mib} MiB {word}")
                    }
                    _ => "down".to_owned(),
                };
                println!(
                    "{service} node {} {} {condition}",
                    node.number, node.address
                );
            }
        }
        Ok(all_ready)
    }

    /// Kills a node.
    pub(crate) fn node_kill(&self, number: u8) -> Result<()> {
        for cluster in self.existing()? {
            cluster.process(cluster.node(number)?).kill()?;
        }
        Ok(())
    }

    /// Starts a node again.
    pub(crate) fn node_up(&self, number: u8) -> Result<()> {
        for cluster in self.existing()? {
            cluster.node_up(number)?;
        }
        Ok(())
    }

    /// The variables that tell tests where the servers are.
    pub(crate) fn environment(&self) -> Result<Vec<(&'static str, String)>> {
        let clusters = self.existing()?;
        Ok(clusters
            .iter()
            .map(|one| (one.service.variable(), one.addresses()))
            .collect())
    }

    fn service_up(&self, service: Service, options: &Options, port: Option<u16>) -> Result<()> {
        let directory = service.directory(&self.directory);
        let cluster = match Cluster::load(&directory)? {
            Some(cluster) if cluster.options == *options => cluster,
            Some(_) => bail!(
                "`{}` holds a {service} with other options: first `cargo xtask down {service} --wipe`",
                directory.display()
            ),
            None => Cluster::create(
                service,
                &directory,
                options.clone(),
                port,
                self.run.as_deref(),
            )?,
        };
        cluster.up()
    }

    /// The directories of the clusters, there or not.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        self.services()
            .iter()
            .map(|service| service.directory(&self.directory))
            .collect()
    }

    fn services(&self) -> Vec<Service> {
        self.service
            .map_or_else(|| Service::ALL.to_vec(), |one| vec![one])
    }

    fn clusters(&self) -> Result<Vec<Cluster>> {
        let mut clusters = Vec::new();
        for service in self.services() {
            clusters.extend(Cluster::load(&service.directory(&self.directory))?);
        }
        Ok(clusters)
    }

    fn existing(&self) -> Result<Vec<Cluster>> {
        let clusters = self.clusters()?;
        if clusters.is_empty() {
            bail!(
                "nothing is set up in `{}`: first `cargo xtask up`",
                self.directory.display()
            );
        }
        Ok(clusters)
    }
}
