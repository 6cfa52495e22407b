//! The machines on a broker and tables in memory.

#[cfg(test)]
mod engine {
    mod decide {
        mod answers;
        mod bad_input;
        mod desk;
        mod moody;
        mod moved;
        mod passwords;
        mod rules_that_panic;
        mod same_bytes;
        mod windows;
    }
}
