//! Real servers for tests, the test run, benchmarks.
fn main() {}
