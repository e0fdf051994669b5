//! The pages, by address.

mod behavior;
mod behavior_tables;
mod help;
mod host;
mod incident_forms;
mod incident_pictures;
mod incidents;
pub(super) mod live;
mod overview;
mod samples;
mod search;
mod sensors;

use crate::app::history_source::Readable;

use super::api;
use super::reply::{PageError, Reply};
use super::request::{PageRequest, PageTheme, QueryPairs};
use super::session::THEME_COOKIE;

/// A function that answers requests for a page.
type Answering = fn(&PageRequest, &Readable) -> Result<Reply, PageError>;
/// A function that answers a form.
type Changing = fn(&PageRequest, &QueryPairs) -> Result<Reply, PageError>;

/// The pages, by their addresses.
pub(super) const PAGES: &[(&str, Answering)] = &[
    ("/", overview::page),
    ("/search", search::page),
    ("/hosts/{address}", host::page),
    ("/prefixes/{address}/{length}", behavior::prefix),
    ("/ports/{port}/{protocol}", behavior::port),
    ("/protocols/{protocol}", behavior::protocol),
    ("/types/{id}", behavior::type_),
    ("/shapes/{id}", behavior::shape),
    ("/patterns/{id}", behavior::pattern),
    ("/labels/{label}", behavior::label),
    ("/signatures/{features}", behavior::signature),
    ("/incidents", incidents::list),
    ("/incidents/{number}", incidents::page),
    ("/live", live::page),
    ("/samples", samples::list),
    ("/samples/{id}", samples::sample),
    ("/families/{name}", samples::family),
    ("/verdicts", samples::verdicts),
    ("/sensors", sensors::list),
    ("/sensors/{name}", sensors::page),
    ("/help", help::page),
    ("/theme", theme),
    ("/metrics", api::metrics),
    ("/api/v1", api::index),
    ("/api/v1/openapi.json", api::openapi),
    ("/api/v1/{answer}", api::answer),
];

/// The forms, by their addresses.
pub(super) const FORMS: &[(&str, Changing)] = &[("/incidents/{number}", incident_forms::change)];

/// Answers requests for addresses that there are not.
pub(super) fn missing(request: &PageRequest, _store: &Readable) -> Result<Reply, PageError> {
    Err(PageError::Missing(format!("There is no page {}.", crate::escape::escape_hidden(&request.path))))
}

/// Chooses the colors and returns to the page.
fn theme(request: &PageRequest, _store: &Readable) -> Result<Reply, PageError> {
    let word = request.query.get("set").unwrap_or("");
    let theme = PageTheme::from_word(word)
        .ok_or_else(|| PageError::Wrong("The colors are system, light or dark.".to_owned()))?;
    // Only addresses of this server: `//host` and `/\host` would lead elsewhere.
    let back = request.query.get("back").unwrap_or("/");
    let is_own = back.starts_with('/') && !back[1..].starts_with(['/', '\\']) && !back.contains(['\r', '\n']);
    let cookie = format!("{THEME_COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", theme.word());
    Ok(Reply::RedirectWithCookie(if is_own { back } else { "/" }.to_owned(), cookie))
}
