//! Server-sent events of the live page: one task looks whether the history has changed, and passes on what is new.

use std::fs::Metadata;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;

use super::pages::live::live_part;
use super::request::Server;

/// Time between two looks at the history.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Size and time of change of the files of a history's catalog, which every commit changes.
type CatalogState = [Option<(u64, SystemTime)>; 2];

fn catalog_state(history: &Path) -> CatalogState {
    let of_file = |metadata: Metadata| Some((metadata.len(), metadata.modified().ok()?));
    ["catalog.sqlite", "catalog.sqlite-wal"].map(|name| history.join(name).metadata().ok().and_then(of_file))
}

/// Looks at the history while a browser looks at the page, and passes on what is new. It never returns.
pub(super) async fn feed(server: Arc<Server>) {
    let mut known: Option<CatalogState> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !server.live.is_watched() {
            known = None;
            server.live.forget();
            continue;
        }
        // The state is taken first, so that a change while the page is made is seen next time.
        let state = catalog_state(&server.history);
        if known == Some(state) {
            continue;
        }
        let Ok(permit) = Arc::clone(&server.questions).acquire_owned().await else { return };
        let asked = Arc::clone(&server);
        let made = tokio::task::spawn_blocking(move || {
            let part = asked.readers.ask(|store| live_part(&asked, store));
            drop(permit);
            part
        });
        // A history that cannot be read now is asked again next time.
        let Ok(Ok(Ok(part))) = made.await else { continue };
        known = Some(state);
        server.live.push(part);
    }
}

/// Answers a browser that wants events.
pub(super) async fn events(State(server): State<Arc<Server>>) -> Response<Body> {
    server.live.open_stream()
}
