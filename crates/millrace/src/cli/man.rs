//! `millrace man`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Exit, command_line};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the pages go; made when it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    write_pages(&args.folder)
        .with_context(|| format!("cannot write pages to `{}`", args.folder.display()))?;
    Ok(Exit::Done)
}

/// One page for the program, and one for each command.
fn write_pages(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let (command, _) = command_line();
    clap_mangen::generate_to(command, folder)
}

#[cfg(test)]
mod tests {
    use super::super::program_name;
    use super::super::tests::command_names;
    use super::*;

    #[test]
    fn every_command_has_a_page_and_stands_in_that_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        write_pages(&folder.path().join("man1")).unwrap();
        let program = program_name();
        let page = |name: &str| {
            let path = folder.path().join("man1").join(format!("{name}.1"));
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let whole = page(&program);
        for name in command_names() {
            // A minus sign is written `\-`.
            assert!(whole.contains(&name.replace('-', "\\-")), "{name}: {whole}");
            assert!(
                page(&format!("{program}-{name}")).contains("SYNOPSIS"),
                "{name}"
            );
        }
        assert!(page(&format!("{program}-topics-create")).contains("missing"));
    }
}
