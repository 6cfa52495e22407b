//! The machines on a broker and tables in memory.

#[cfg(test)]
mod engine {
    mod beginning;
    mod commits;
    mod crashes;
    mod handover;
    mod held;
    mod limits;
    pub(crate) mod line;
    mod simulated;
    pub(crate) mod stage;
    mod tampered;

    pub(crate) mod decide {
        mod answers;
        mod bad_input;
        pub(crate) mod desk;
        mod moody;
        mod moved;
        mod not_awaited;
        mod passwords;
        mod replies;
        mod rules_that_panic;
        mod same_bytes;
        mod windows;
    }
}

#[cfg(test)]
mod projector {
    mod breaking;
    mod crashes;
    mod journal;
    mod positions;
    mod rows;
    mod safety;
    mod shell;
    mod trouble;
    mod world;
}

#[cfg(test)]
mod policy {
    mod beginning;
    pub(crate) mod desk;
    mod follow_ups;
    mod trouble;
    mod wild;
}

#[cfg(test)]
mod processes {
    mod chains;
    mod clients;
    mod facts;
    mod money;
    mod simulated;
}

#[cfg(test)]
mod reactor {
    mod acting;
    mod breaking;
    mod outside;
    mod performer;
    mod repeating;
}
