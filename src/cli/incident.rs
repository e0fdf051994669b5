//! `inga incident`: shows incidents, updates them, and records what operators do about them.

use clap::ValueEnum;

use crate::app::history_source::HistorySource;
use crate::app::incidents::{
    IncidentSelection, change_incident, find_sample_id, list_incidents, update_history,
};
use crate::app::output::Output;
use crate::app::{AppError, CaptureOptions, Notices, account, now};
use crate::incident::{ChangeKind, Incident, IncidentState};
use crate::render::incidents::{change_in_words, incident_title};

use super::EXIT_OK;
use super::help::FILTER;
use super::output::OutputArgs;
use super::shared::HistoryFolder;

/// List, show and work on incidents
#[derive(Debug, clap::Args)]
pub(super) struct IncidentArgs {
    #[command(subcommand)]
    command: IncidentCommand,
}

#[derive(Debug, clap::Subcommand)]
enum IncidentCommand {
    /// List the incidents of a history
    ///
    /// Incidents that last come before those that ended, and those with the most hosts first. Closed ones are
    /// left out unless --all or --state says otherwise.
    #[command(after_help = "Examples:
  inga incident list --history history
  inga incident list --history history --state new --format json")]
    List {
        /// Also incidents that were closed
        #[arg(long, conflicts_with = "state", help_heading = FILTER)]
        all: bool,
        /// Only incidents in this state
        #[arg(long, value_enum, help_heading = FILTER)]
        state: Option<StateArg>,
        #[command(flatten)]
        history: HistoryFolder,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show everything of an incident
    #[command(after_help = "Examples:
  inga incident show 12 --history history")]
    Show {
        /// Number of the incident
        number: u64,
        #[command(flatten)]
        history: HistoryFolder,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Write a note on an incident
    #[command(after_help = "Examples:
  inga incident note 12 reported-to-hoster --history history")]
    Note {
        #[command(flatten)]
        edit: IncidentEditArgs,
        /// Text of the note
        text: String,
    },
    /// Mark an incident as seen; a closed one is taken up again
    #[command(after_help = "Examples:
  inga incident seen 12 --owner kn --history history")]
    Seen {
        #[command(flatten)]
        edit: IncidentEditArgs,
        /// Who takes care of it from now on
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// Text of a note
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Mark an incident as explained by a sample
    #[command(after_help = "Examples:
  inga incident explain 12 --sample a2eaf57c47a1 --history history")]
    Explain {
        #[command(flatten)]
        edit: IncidentEditArgs,
        /// First digits of the id of the sample that explains it [default: those that are linked]
        #[arg(long, value_name = "ID")]
        sample: Option<String>,
        /// Text of a note
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Close an incident
    #[command(after_help = "Examples:
  inga incident close 12 --note research-scanner --history history")]
    Close {
        #[command(flatten)]
        edit: IncidentEditArgs,
        /// Text of a note
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Find surges and causes now, and update the incidents
    ///
    /// Surges of a type, its shape, its pattern and its service, at all sensors, are one incident. It has the
    /// narrowest behavior with more than half of the excess hosts. Surges of one pattern belong to the same
    /// incident if at most two weeks lie between them, and surges of one service if their first days differ
    /// by at most a week. An incident ends after four calm days, and when its level has become the background;
    /// it is reopened if its surge resumes within two weeks. Backscatter opens no incident. Running the command
    /// again on the same history changes nothing.
    ///
    /// The causes are those of `inga correlate`, for the samples that the history keeps. A sample that was
    /// added later is weighed on all incidents, and linked where it is a likely cause.
    #[command(after_help = "Examples:
  inga incident update --history history")]
    Update {
        #[command(flatten)]
        history: HistoryFolder,
    },
}

/// Options of commands that change an incident.
#[derive(Debug, clap::Args)]
struct IncidentEditArgs {
    /// Number of the incident
    number: u64,
    /// Account under which the change is recorded [default: the user's]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    history: HistoryFolder,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    /// Nobody has looked at it
    New,
    /// Somebody has looked at it
    Seen,
    /// A sample that explains it is linked
    Explained,
    /// Nothing is left to do
    Closed,
}

impl From<StateArg> for IncidentState {
    fn from(state: StateArg) -> IncidentState {
        match state {
            StateArg::New => IncidentState::New,
            StateArg::Seen => IncidentState::Seen,
            StateArg::Explained => IncidentState::Explained,
            StateArg::Closed => IncidentState::Closed,
        }
    }
}

pub(super) fn run(args: &IncidentArgs, notices: &mut Notices) -> Result<u8, AppError> {
    match &args.command {
        IncidentCommand::List { all, state, history, output } => {
            let selection = match (state, all) {
                (Some(state), _) => IncidentSelection::InState((*state).into()),
                (None, true) => IncidentSelection::All,
                (None, false) => IncidentSelection::Open,
            };
            let found = list_incidents(&source(history), selection, &history.rules.load()?, notices)?;
            if found.is_empty() {
                notices.add("no such incident; `inga incident update` looks for them".to_owned());
            }
            output.write(found.as_slice())?;
        }
        IncidentCommand::Show { number, history, output } => {
            let rules = history.rules.load()?;
            let store = source(history).open(&CaptureOptions::default(), &rules, notices)?;
            output.write(&store.incident(*number)?)?;
        }
        IncidentCommand::Note { edit, text } => change(edit, vec![ChangeKind::Note(text.clone())])?,
        IncidentCommand::Seen { edit, owner, note } => {
            let owner = owner.clone().map(|owner| ChangeKind::Owner(Some(owner)));
            let state = ChangeKind::State(IncidentState::Seen);
            change(edit, [Some(state), owner, noted(note)].into_iter().flatten().collect())?;
        }
        IncidentCommand::Explain { edit, sample, note } => {
            let rules = edit.history.rules.load()?;
            let find = |start: &String| find_sample_id(&source(&edit.history), start, &rules, notices);
            let linked = sample.as_ref().map(find).transpose()?.map(ChangeKind::Sample);
            let state = ChangeKind::State(IncidentState::Explained);
            change(edit, [linked, Some(state), noted(note)].into_iter().flatten().collect())?;
        }
        IncidentCommand::Close { edit, note } => {
            let state = ChangeKind::State(IncidentState::Closed);
            change(edit, [noted(note), Some(state)].into_iter().flatten().collect())?;
        }
        IncidentCommand::Update { history } => update(history)?,
    }
    Ok(EXIT_OK)
}

fn source(history: &HistoryFolder) -> HistorySource {
    HistorySource::Folder(history.folder.clone())
}

fn noted(note: &Option<String>) -> Option<ChangeKind> {
    note.clone().map(ChangeKind::Note)
}

fn change(edit: &IncidentEditArgs, changes: Vec<ChangeKind>) -> Result<(), AppError> {
    let rules = edit.history.rules.load()?;
    let by = edit.by.clone().or_else(account).unwrap_or_else(|| "unknown".to_owned());
    let incident = change_incident(&edit.history.folder, edit.number, &changes, &by, &rules)?;
    let state = incident.state.word();
    Output::Stdout
        .write(|out| writeln!(out, "incident {}: {}: {state}", incident.number, incident_title(&incident)))
}

fn update(history: &HistoryFolder) -> Result<(), AppError> {
    let rules = history.rules.load()?;
    let updated = update_history(&history.folder, &rules, now())?;
    Output::Stdout.write(|out| {
        for one in &updated {
            let Incident { number, .. } = one.incident;
            let title = incident_title(&one.incident);
            for what in one.new_changes() {
                writeln!(out, "incident {number}: {title}: {}", change_in_words(what))?;
            }
        }
        Ok(())
    })
}
