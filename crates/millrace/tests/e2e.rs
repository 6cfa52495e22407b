//! The program as its users meet it: commands through `kcat`, rows through `cqlsh`, on real
//! servers. Without them every test fails and says how to start them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests: a panic is their way to fail, and they wait for other processes"
)]

mod e2e {
    mod account;
    mod bad_input;
    mod cli;
    mod lifecycle;
    mod metrics;
    mod policies;
    mod process;
    mod scale;
    mod servers;
    mod tour;
    mod transfers;
    mod wait;
    mod world;
}
