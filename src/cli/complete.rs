//! `inga completions` and `inga man`: completion scripts for shells, and man pages.

use std::path::{Path, PathBuf};

use crate::app::AppError;
use crate::app::output::{Output, make_folder};

use super::EXIT_OK;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga completions bash > ~/.local/share/bash-completion/completions/inga
  inga completions zsh > ~/.zfunc/_inga
  inga completions fish > ~/.config/fish/completions/inga.fish")]
pub(super) struct CompletionArgs {
    /// Shell for which the script is printed
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Write man pages, one per subcommand
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga man > inga.1
  inga man man/man1")]
pub(super) struct ManArgs {
    /// Folder for inga.1, inga-correlate.1 and so on [default: inga.1 alone, on standard output]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionArgs, command: &mut clap::Command) -> Result<u8, AppError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "inga", &mut script);
    Output::Stdout.write(|out| out.write_all(&script))?;
    Ok(EXIT_OK)
}

pub(super) fn man(args: &ManArgs, command: &clap::Command) -> Result<u8, AppError> {
    match &args.folder {
        None => Output::Stdout.write(|out| clap_mangen::Man::new(command.clone()).render(out))?,
        Some(folder) => {
            make_folder(folder)?;
            let mut command = command.clone().disable_help_subcommand(true);
            command.build();
            pages(&command, folder)?;
        }
    }
    Ok(EXIT_OK)
}

/// Writes the man pages of a command and of its subcommands into a folder. Each file is named after its
/// command.
fn pages(command: &clap::Command, folder: &Path) -> Result<(), AppError> {
    command.get_subcommands().filter(|one| !one.is_hide_set()).try_for_each(|one| pages(one, folder))?;
    let page = clap_mangen::Man::new(command.clone());
    Output::File(folder.join(page.get_filename())).write(|out| page.render(out))
}
