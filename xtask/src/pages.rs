//! Man pages and completions, made from the command line's own definition, so that they cannot fall behind it.

use anyhow::Context as _;
use clap::{Command, CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;
use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = "jindo";

/// Writes `jindo.1` and `jindo-<command>.1` for every command to `folder`, and returns the paths.
pub(crate) fn man(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| format!("while making {}", folder.display()))?;
    clap_mangen::generate_to(command(), folder)
        .with_context(|| format!("while writing man pages to {}", folder.display()))?;
    let commands = command();
    let subcommands = commands.get_subcommands();
    let pages = subcommands.map(|subcommand| format!("{NAME}-{}.1", subcommand.get_name()));
    Ok(pages.chain([format!("{NAME}.1")]).map(|page| folder.join(page)).collect())
}

/// Writes one file per shell that clap knows to `folder`, named as that shell expects it, and returns the paths.
pub(crate) fn completions(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| format!("while making {}", folder.display()))?;
    let write = |&shell: &Shell| {
        clap_complete::generate_to(shell, &mut command(), NAME, folder)
            .with_context(|| format!("while writing completions for {shell}"))
    };
    Shell::value_variants().iter().map(write).collect()
}

fn command() -> Command {
    jindo_cli::Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_it() {
        let folder = std::env::temp_dir().join(format!("jindo-xtask-{}", std::process::id()));
        for path in man(&folder).unwrap() {
            let page = fs::read_to_string(&path).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{}", path.display());
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
