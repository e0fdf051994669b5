//! `inga completions` and `inga man`: for shells and for `man`.

use std::path::PathBuf;

use crate::app::AppError;
use crate::app::output::Output;

use super::EXIT_OK;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Write man pages, one a subcommand
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Folder for inga.1, inga-correlate.1 and so on; without it, inga.1 goes to standard output
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
            std::fs::create_dir_all(folder).map_err(|error| AppError::file(folder, error))?;
            clap_mangen::generate_to(command.clone(), folder)
                .map_err(|error| AppError::file(folder, error))?;
        }
    }
    Ok(EXIT_OK)
}
