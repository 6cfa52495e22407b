//! The files of the folder `schemas` as this program was built with them.

use crate::{Catalogue, CatalogueError, SchemaFiles};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../schemas/", $path)))),*]
    };
}

/// Paths below `schemas`, with their texts. A test holds the list against the folder.
const FILES: &[(&str, &str)] = files![
    "bank/account.commands.avsc",
    "bank/account.events.avsc",
    "bank/account.state.avsc",
    "bank/transfer.commands.avsc",
    "bank/transfer.events.avsc",
    "bank/transfer.state.avsc",
    "bank/history/account.commands.v1.avsc",
    "bank/history/account.events.v1.avsc",
    "bank/history/account.state.v1.avsc",
    "bank/history/transfer.commands.v1.avsc",
    "bank/history/transfer.events.v1.avsc",
    "bank/history/transfer.state.v1.avsc",
    "bank/history/ids.json",
    "millrace/task.state.avsc",
    "millrace/history/task.state.v1.avsc",
    "millrace/history/ids.json",
];

impl SchemaFiles {
    /// The files that this program was built with.
    pub fn published() -> Self {
        let files = FILES.iter();
        files
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    }
}

impl Catalogue {
    /// All versions of all schemas that this program was built with.
    ///
    /// # Errors
    /// See [`Self::publish`].
    pub fn published() -> Result<Self, CatalogueError> {
        SchemaFiles::published().catalogue()
    }
}
