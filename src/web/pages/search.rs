//! The search: leads to the one thing meant, or lists what may be meant.

use askama::Template;

use crate::app::filter_notation::filter_name;
use crate::app::history_source::Readable;
use crate::app::lookup::{FoundThing, lookup};

use crate::web::format::counted;
use crate::web::layout::{Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, segment};

use super::behavior;

/// A thing that the text may mean.
struct SearchHit {
    kind: &'static str,
    name: String,
    more: String,
    href: String,
}

#[derive(Template)]
#[template(path = "search.html", config = "src/web/templates/askama.toml")]
struct SearchPage {
    layout: Layout,
    text: String,
    hits: Vec<SearchHit>,
}

/// Answers requests for `/search?q=…`.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let Some(text) = request.query.get("q") else { return Ok(Reply::Redirect("/".to_owned())) };
    let found = lookup(store, text, &request.server.rules)?;
    if let [one] = found.as_slice() {
        return Ok(Reply::Redirect(hit(one).href));
    }
    let layout = Layout::new(request, store, PageSection::None, "Search", Vec::new())?;
    html(&SearchPage { layout, text: text.to_owned(), hits: found.iter().map(hit).collect() })
}

fn hit(thing: &FoundThing) -> SearchHit {
    let hit = |kind, name: String, more: String, href: String| SearchHit { kind, name, more, href };
    match thing {
        FoundThing::Host(host) => hit("host", host.to_string(), String::new(), format!("/hosts/{host}")),
        FoundThing::Prefix(prefix) => {
            hit("prefix", prefix.to_string(), String::new(), format!("/prefixes/{prefix}"))
        }
        FoundThing::Behavior(filter) => {
            hit("behavior", filter_name(filter, None), String::new(), behavior::address(filter))
        }
        FoundThing::Sample(id, title, family) => {
            hit("sample", title.clone(), family.clone(), format!("/samples/{}", segment(id)))
        }
        FoundThing::Family(name, samples) => hit(
            "family",
            name.clone(),
            counted(*samples as u64, "sample", "samples"),
            format!("/families/{}", segment(name)),
        ),
        FoundThing::Sensor(name) => {
            hit("sensor", name.clone(), String::new(), format!("/sensors/{}", segment(name)))
        }
        FoundThing::Day(day) => hit("day", day.to_string(), String::new(), format!("/?to={day}")),
        FoundThing::Incident(number) => {
            hit("incident", format!("incident {number}"), String::new(), format!("/incidents/{number}"))
        }
    }
}
