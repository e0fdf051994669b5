//! What operators do about an incident: forms with the token of the session.

use crate::app::Notices;
use crate::app::incidents::{change_incident, find_sample_id};
use crate::incident::{ChangeKind, IncidentState};

use crate::web::layout::user;
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, QueryPairs};

/// Returns the number of the incident that an address names.
pub(in crate::web) fn number(request: &PageRequest) -> Result<u64, PageError> {
    let text = request.part("number");
    text.parse()
        .map_err(|_| PageError::Missing(format!("`{}` is no number of an incident.", text.escape_default())))
}

/// Answers the forms of an incident: `state`, `owner`, `note` and `sample`.
pub(in crate::web) fn change(request: &PageRequest, fields: &QueryPairs) -> Result<Reply, PageError> {
    let number = number(request)?;
    let changes = changes(request, fields)?;
    let changed = change_incident(&request.server.history, number, &changes, &user(), &request.server.rules);
    changed.map_err(|error| PageError::Wrong(error.to_string()))?;
    Ok(Reply::Redirect(format!("/incidents/{number}#h-history")))
}

fn changes(request: &PageRequest, fields: &QueryPairs) -> Result<Vec<ChangeKind>, PageError> {
    let nothing = || PageError::Wrong("The form is empty. Write a note, or choose a sample.".to_owned());
    let value = |name| fields.get(name).ok_or_else(nothing);
    match fields.get("do").unwrap_or("") {
        "seen" => Ok(vec![ChangeKind::State(IncidentState::Seen)]),
        "closed" => {
            let note = fields.get("note").map(|note| ChangeKind::Note(lines(note)));
            Ok(note.into_iter().chain([ChangeKind::State(IncidentState::Closed)]).collect())
        }
        "note" => Ok(vec![ChangeKind::Note(lines(value("note")?))]),
        "take" => Ok(vec![ChangeKind::Owner(Some(user()))]),
        "leave" => Ok(vec![ChangeKind::Owner(None)]),
        "explain" => {
            let source = request.server.source();
            let id =
                find_sample_id(&source, value("sample")?, &request.server.rules, &mut Notices::default())?;
            Ok(vec![ChangeKind::Sample(id), ChangeKind::State(IncidentState::Explained)])
        }
        _ => Err(PageError::Wrong("The form asks for nothing that can be done with an incident.".to_owned())),
    }
}

/// Returns a text of a form, whose lines end with CR and LF, with line feeds alone.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}
