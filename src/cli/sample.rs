//! `inga sample`: the samples that a history keeps.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::sandbox::{LoadedSample, load_sample};
use crate::app::{AppError, Notices};
use crate::report::text::table;
use crate::store::{HistoryStore, SqliteStore};

use super::EXIT_OK;
use super::shared::RuleArgs;

/// Keep samples in a history, list them
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Keep samples: their reports, and what their runs show
    Add {
        /// Sample reports (YAML)
        #[arg(required = true, value_name = "REPORT")]
        reports: Vec<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// List the samples kept
    List {
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Debug, clap::Args)]
struct Database {
    /// The history, an SQLite file
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    match &args.command {
        Command::Add { reports, database } => {
            let rules = database.rules.load()?;
            let mut store = SqliteStore::open_existing(&database.db, &rules.profile)?;
            for path in reports {
                store.put_sample(&load_sample(path, &rules, notices)?.to_keep())?;
            }
        }
        Command::List { database } => {
            let profile = database.rules.load()?.profile;
            let store = SqliteStore::open_existing(&database.db, &profile)?;
            let mut rows = vec![["sample", "title", "windows", "date"].map(str::to_owned).to_vec()];
            for sample in store.samples()? {
                let sample = LoadedSample::kept(sample)?;
                let date = sample.report.pivot().map_or_else(|| "-".to_owned(), |(span, _)| span.to_string());
                let windows = sample.profile.windows.len().to_string();
                let title = crate::report::text::shown(&sample.report.title());
                rows.push(vec![sample.profile.id, title, windows, date]);
            }
            Output::Stdout.write(|out| table(out, &rows))?;
        }
    }
    Ok(EXIT_OK)
}
