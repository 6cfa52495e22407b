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
    "contacts/contact.commands.avsc",
    "contacts/contact.events.avsc",
    "contacts/contact.state.avsc",
    "contacts/history/contact.commands.v1.avsc",
    "contacts/history/contact.events.v1.avsc",
    "contacts/history/contact.state.v1.avsc",
    "contacts/history/ids.json",
    "shop/order.commands.avsc",
    "shop/order.events.avsc",
    "shop/order.state.avsc",
    "shop/product.commands.avsc",
    "shop/product.events.avsc",
    "shop/product.state.avsc",
    "shop/history/order.commands.v1.avsc",
    "shop/history/order.events.v1.avsc",
    "shop/history/order.events.v2.avsc",
    "shop/history/order.state.v1.avsc",
    "shop/history/product.commands.v1.avsc",
    "shop/history/product.events.v1.avsc",
    "shop/history/product.events.v2.avsc",
    "shop/history/product.state.v1.avsc",
    "shop/history/ids.json",
    "users/user.commands.avsc",
    "users/user.events.avsc",
    "users/user.state.avsc",
    "users/history/user.commands.v1.avsc",
    "users/history/user.events.v1.avsc",
    "users/history/user.events.v2.avsc",
    "users/history/user.state.v1.avsc",
    "users/history/ids.json",
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
