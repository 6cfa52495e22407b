//! The program as its users meet it: commands through `kcat` and rows through `cqlsh` on real
//! servers, and the same scenarios on a local file, whose rows the shell of SQLite reads. Without
//! the servers their tests fail and say how to start them.
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
    mod acls;
    mod audit;
    mod bad_input;
    mod blog;
    mod cli;
    mod contacts;
    mod embedded;
    mod evolution;
    mod follower;
    mod fragile;
    mod lifecycle;
    mod limits;
    mod mail;
    mod metrics;
    #[expect(dead_code, reason = "the tests of the pages use more of it")]
    #[path = "../documents/pages.rs"]
    mod pages;
    mod place;
    mod policies;
    mod process;
    mod raw;
    mod rights;
    mod rows;
    mod scale;
    mod servers;
    mod shop;
    #[expect(dead_code, reason = "the tests of the adapter use more of it")]
    #[path = "../../../smtp/tests/smtp/server.rs"]
    mod smtp_server;
    mod team;
    mod tour;
    mod transfers;
    mod users;
    mod wait;
    mod world;
}
