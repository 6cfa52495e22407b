//! Log lines and metrics.

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Context;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use millrace_runtime::metrics::{ALL, Kind};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, LogSettings};

/// Bounds of the histograms, in seconds. A commit takes 3 to 8 ms, so that is where they are
/// close; a minute is when people have noticed.
const SECONDS_BUCKETS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
    60.0,
];

/// How often the recorder tidies up; between two scrapes of anybody.
pub(crate) const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Starts to write log lines to standard error. Of libraries, warnings; of the clients of Kafka
/// and the CQL store nothing, unless details are wanted: what they have to say reaches us as
/// errors, which we log once, while they repeat each of them for every broker and every try.
///
/// # Errors
/// When that was done before.
pub(crate) fn start_log(settings: &LogSettings) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(directives(&settings.level)).context("`log.level` is not understood")?;
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Text => registry
            .with(layer.with_ansi(io::stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    }
    .context("cannot start the log")?;
    std::panic::set_hook(Box::new(|panic| {
        // Where, but not what: the text may hold parts of a command.
        let place = panic.location().map(ToString::to_string);
        error!(place, "panicked");
    }));
    Ok(())
}

fn directives(level: &str) -> String {
    let (libraries, clients) = match level {
        "error" => ("error", "off"),
        "debug" | "trace" => ("warn", "warn"),
        _ => ("warn", "off"),
    };
    // A union of one record is how every union begins; the parser of schemas warns of it each time.
    format!(
        "{libraries},apache_avro=error,rdkafka={clients},librdkafka={clients},scylla={clients},millrace={level}"
    )
}

/// Starts to collect metrics, each with its help text.
///
/// # Errors
/// When that was done before.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = builder()?
        .install_recorder()
        .context("cannot start metrics")?;
    describe();
    Ok(handle)
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let mut builder = PrometheusBuilder::new();
    // Without buckets it would be quantiles of one process, which nobody can add up.
    let histograms = ALL.iter().filter(|(_, kind, _)| *kind == Kind::Histogram);
    for (name, ..) in histograms {
        builder = builder
            .set_buckets_for_metric(Matcher::Full((*name).to_owned()), &SECONDS_BUCKETS)
            .context("cannot set buckets")?;
    }
    Ok(builder)
}

fn describe() {
    for (name, kind, help) in ALL {
        match kind {
            Kind::Counter => describe_counter!(name, Unit::Count, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, Unit::Seconds, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, histogram, with_local_recorder};
    use millrace_runtime::metrics::COMMAND_SECONDS;

    use super::*;

    #[test]
    fn metrics_come_with_help_and_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || {
            describe();
            counter!("millrace_commands_total", "aggregate" => "bank.account").increment(3);
            histogram!(COMMAND_SECONDS).record(0.004);
        });
        let text = handle.render();
        assert!(
            text.contains("# HELP millrace_commands_total Commands that"),
            "{text}"
        );
        assert!(
            text.contains("millrace_commands_total{aggregate=\"bank.account\"} 3"),
            "{text}"
        );
        assert!(
            text.contains("millrace_command_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
    }

    #[test]
    fn every_histogram_has_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        let histograms = ALL.iter().filter(|(_, kind, _)| *kind == Kind::Histogram);
        for (name, ..) in histograms {
            with_local_recorder(&recorder, || histogram!(*name).record(0.004));
            let bucket = format!("{name}_bucket{{le=\"0.005\"}} 1");
            assert!(handle.render().contains(&bucket), "{name}");
        }
    }
}
