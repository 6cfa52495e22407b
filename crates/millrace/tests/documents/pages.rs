//! The project's pages, and what stands in them as code.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) page: String,
    /// Of its first line.
    pub(crate) line: usize,
    /// What stands behind the opening fence: the language and, of commands, a tag.
    pub(crate) info: String,
    pub(crate) text: String,
}

impl Block {
    /// For messages.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// The tag of a block of commands; empty when it has none.
    pub(crate) fn tag(&self) -> Option<&str> {
        let tag = self.info.strip_prefix("sh")?;
        Some(tag.trim())
    }
}

/// The project's directory.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

/// A file of the project.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All pages: those at the top, and those below `docs` and `deploy`.
pub(crate) fn all() -> Vec<String> {
    let mut found = Vec::new();
    collect("", false, &mut found);
    collect("docs", true, &mut found);
    collect("deploy", true, &mut found);
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

fn collect(directory: &str, is_deep: bool, into: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(directory)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = Path::new(directory).join(&name);
        let path = path.to_str().unwrap().to_owned();
        if is_deep && entry.file_type().unwrap().is_dir() {
            collect(&path, true, into);
        } else if Path::new(&name).extension().is_some_and(|it| it == "md") {
            into.push(path);
        }
    }
}

/// Every fenced block of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(read(page).lines()) {
        let fence = line.trim_start().strip_prefix("```");
        open = match (open.take(), fence) {
            (None, None) => None,
            (None, Some(info)) => Some(Block {
                page: page.to_owned(),
                line: number + 1,
                info: info.trim().to_owned(),
                text: String::new(),
            }),
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                Some(block)
            }
            (Some(block), Some(_)) => {
                found.push(block);
                None
            }
        };
    }
    assert!(open.is_none(), "{page}: a block is not closed");
    found
}

/// Blocks of commands with this tag.
pub(crate) fn tagged(page: &str, tag: &str) -> Vec<Block> {
    let mut blocks = blocks(page);
    blocks.retain(|block| block.tag() == Some(tag));
    blocks
}

/// Lines that stand in no fenced block, each with its number.
pub(crate) fn prose(page: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(read(page).lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((number, line.to_owned()));
        }
    }
    lines
}
