//! `millrace completions`

use std::io::{self, Write};

use clap_complete::Shell;

use super::{Exit, command_line};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose script
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    io::stdout().lock().write_all(&script(args.shell))?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> Vec<u8> {
    let (mut command, program) = command_line();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::super::tests::command_names;
    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for name in command_names() {
                assert!(script.contains(&name), "{shell}: {name}");
            }
            assert!(script.contains("projection"), "{shell}");
            assert!(script.contains("config"), "{shell}");
        }
    }
}
