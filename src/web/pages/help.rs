//! The help: what can be searched, the keys, and the words of the page.

use askama::Template;

use crate::app::history_source::Readable;

use crate::web::layout::{Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::PageRequest;

#[derive(Template)]
#[template(path = "help.html", config = "src/web/templates/askama.toml")]
struct HelpPage {
    layout: Layout,
}

/// Answers requests for `/help`.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    html(&HelpPage { layout: Layout::new(request, store, PageSection::None, "Help", Vec::new())? })
}
