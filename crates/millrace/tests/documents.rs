//! What the project's pages say, held against the program and its sources: commands, quotations,
//! settings. Blocks of commands that can be carried out here are, by the tests `e2e::tour`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests: a panic is their way to fail"
)]

mod documents {
    mod blocks;
    mod deploying;
    mod names;
    mod pages;
    mod quotes;
    mod settings;
}
