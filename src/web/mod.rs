//! F6: the operator's page. It answers requests for pages, pictures and JSON by calling `app` and `render`; it has no
//! views of its own in JSON and draws no pictures, except sparklines.
//!
//! A request becomes a `PageRequest`. A page function in `pages` answers it with a `Reply`. Page
//! functions block, so `router` runs a bounded number of them at once, outside of the threads that wait for sockets.

mod api;
mod assets;
mod behavior_words;
mod format;
mod incident_rows;
mod layout;
mod live_feed;
mod live_streams;
mod pages;
mod reply;
mod request;
mod router;
mod serve;
mod session;
mod span;
mod sparkline;
mod table;

pub use serve::{ServeOptions, serve};
