//! The folder `schemas`: what is where, and what it means.
//!
//! - `<context>/<aggregate>.<kind>.avsc`: the schema to write with
//! - `<context>/history/<aggregate>.<kind>.v<N>.avsc`: version N as it was published, never changed
//! - `<context>/history/ids.json`: for each `<aggregate>.<kind>` the ids of its versions, in order

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use crate::{Catalogue, CatalogueError, SchemaId};

/// Texts of a folder `schemas`, by path below it, with `/` between folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaFiles {
    files: BTreeMap<String, String>,
}

impl FromIterator<(String, String)> for SchemaFiles {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(files: I) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }
}

/// The files of one topic's schema.
#[derive(Debug, Default)]
pub(crate) struct TopicFiles<'a> {
    /// The schema to write with.
    pub(crate) current: Option<&'a str>,
    /// By number, which starts at 1.
    pub(crate) versions: BTreeMap<usize, &'a str>,
    /// The ids that were noted when the versions were published, in order.
    pub(crate) noted: Vec<SchemaId>,
}

/// All files, sorted by what they mean.
#[derive(Debug, Default)]
pub(crate) struct Sorted<'a> {
    /// By topic.
    pub(crate) topics: BTreeMap<String, TopicFiles<'a>>,
    /// Paths of files that mean nothing here, though they look as if they should.
    pub(crate) misplaced: Vec<&'a str>,
}

/// What one file is for, told from its path; the second part is `<aggregate>.<kind>`.
enum Meaning<'a> {
    Current(&'a str, &'a str),
    Version(&'a str, &'a str, usize),
    Ids(&'a str),
}

impl SchemaFiles {
    /// Reads a folder and the folders in it.
    ///
    /// # Errors
    /// When it cannot be read, or a text in it is not UTF-8.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        read_into(folder, "", &mut files)?;
        Ok(Self { files })
    }

    /// All versions of all topics' schemas, oldest first, with the current one last.
    ///
    /// # Errors
    /// See [`Catalogue::publish`].
    pub fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        let mut catalogue = Catalogue::new();
        for (topic, files) in self.sorted().topics {
            catalogue.publish(&Catalogue::subject(&topic), &files.texts())?;
        }
        Ok(catalogue)
    }

    /// The published versions of one topic's schema, oldest first.
    pub(crate) fn versions(&self, topic: &str) -> Vec<&str> {
        let mut topics = self.sorted().topics;
        let files = topics.remove(topic).unwrap_or_default();
        files.versions.into_values().collect()
    }

    pub(crate) fn sorted(&self) -> Sorted<'_> {
        let mut sorted = Sorted::default();
        for (path, text) in &self.files {
            match meaning(path) {
                Some(Meaning::Current(context, name)) => {
                    sorted.topic(context, name).current = Some(text);
                }
                Some(Meaning::Version(context, name, number)) => {
                    sorted.topic(context, name).versions.insert(number, text);
                }
                Some(Meaning::Ids(context)) => {
                    let Ok(ids) = serde_json::from_str::<BTreeMap<String, _>>(text) else {
                        sorted.misplaced.push(path);
                        continue;
                    };
                    for (name, noted) in ids {
                        sorted.topic(context, &name).noted = noted;
                    }
                }
                None => sorted.misplaced.push(path),
            }
        }
        sorted
    }
}

impl<'a> TopicFiles<'a> {
    fn texts(&self) -> Vec<&'a str> {
        let versions = self.versions.values().copied();
        versions.chain(self.current).collect()
    }
}

impl<'a> Sorted<'a> {
    fn topic(&mut self, context: &str, name: &str) -> &mut TopicFiles<'a> {
        self.topics.entry(format!("{context}.{name}")).or_default()
    }
}

fn meaning(path: &str) -> Option<Meaning<'_>> {
    let mut parts = path.split('/');
    let meaning = match (parts.next()?, parts.next()?, parts.next()) {
        (context, "history", Some("ids.json")) => Meaning::Ids(context),
        (context, "history", Some(file)) => {
            let (name, number) = file.strip_suffix(".avsc")?.rsplit_once(".v")?;
            let number = number.parse().ok().filter(|number| *number > 0)?;
            Meaning::Version(context, name, number)
        }
        (context, file, None) => Meaning::Current(context, file.strip_suffix(".avsc")?),
        _ => return None,
    };
    parts.next().is_none().then_some(meaning)
}

fn read_into(folder: &Path, path: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{path}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_into(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}
