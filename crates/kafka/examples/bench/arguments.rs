//! Arguments, as one program gives them to another.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::Result;

/// An action and named values.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) action: String,
    values: BTreeMap<String, String>,
}

impl Arguments {
    pub(crate) fn of_process() -> Result<Self> {
        let mut words = std::env::args().skip(1);
        let action = words.next().ok_or("which action?")?;
        let mut values = BTreeMap::new();
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("`{word}` is not NAME=VALUE"))?;
            values.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self { action, values })
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        let value = self.values.get(name).map(String::as_str);
        value.ok_or_else(|| format!("`{name}` is missing").into())
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        text.parse()
            .map_err(|_| format!("{name}=`{text}` is no such number").into())
    }
}
