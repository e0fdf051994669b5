//! Server-sent events of the live page: one task looks whether the history has changed, and all browsers that look at
//! the page get what it found.

use std::convert::Infallible;
use std::fs::Metadata;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::pages::live::live_part;
use super::request::Server;

/// Maximum number of browsers that get events. Further ones ask for the page now and then.
const STREAMS_MAX: usize = 64;
/// Time between two looks at the history.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time without an event after which a comment is sent, which shows whether the browser is still there.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What the streams send.
#[derive(Clone, Debug)]
enum FeedState {
    /// The newest content of the page; `None` if it was not asked for yet.
    Open(Option<Arc<str>>),
    /// The server ends.
    Closed,
}

/// The newest content of the live page, and the streams that send it.
pub(super) struct LiveFeed {
    newest: watch::Sender<FeedState>,
    streams: Arc<Semaphore>,
}

/// Size and time of change of the files of a history's catalog, which every commit changes.
type CatalogState = [Option<(u64, SystemTime)>; 2];

fn catalog_state(history: &Path) -> CatalogState {
    let of_file = |metadata: Metadata| Some((metadata.len(), metadata.modified().ok()?));
    ["catalog.sqlite", "catalog.sqlite-wal"].map(|name| history.join(name).metadata().ok().and_then(of_file))
}

impl LiveFeed {
    /// Creates a feed without streams.
    pub(super) fn new() -> LiveFeed {
        LiveFeed {
            newest: watch::Sender::new(FeedState::Open(None)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        self.newest.send_replace(FeedState::Closed);
    }
}

/// Looks at the history while a browser looks at the page, and passes on what is new. It never returns.
pub(super) async fn feed(server: Arc<Server>) {
    let mut known: Option<CatalogState> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if server.live.newest.receiver_count() == 0 {
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
        server.live.newest.send_if_modified(|newest| match newest {
            FeedState::Open(known) if known.as_deref() != Some(part.as_str()) => {
                *known = Some(part.into());
                true
            }
            _ => false,
        });
    }
}

/// Answers a browser that wants events.
pub(super) async fn events(State(server): State<Arc<Server>>) -> Response<Body> {
    let Ok(permit) = Arc::clone(&server.live.streams).try_acquire_owned() else {
        let mut response = Response::new(Body::from("too many browsers look at the live page\n"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    };
    let (sender, events) = mpsc::channel(2);
    tokio::spawn(send(server.live.newest.subscribe(), sender, permit));
    let mut response = Response::new(Body::new(EventBody(events)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// Sends events until the browser is gone or the server ends.
async fn send(
    mut newest: watch::Receiver<FeedState>,
    sender: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
) {
    newest.mark_changed();
    // After a lost connection, browsers try again after this time in milliseconds.
    let mut next = Bytes::from_static(b"retry: 3000\n\n");
    loop {
        if sender.send(next).await.is_err() {
            return;
        }
        next = match tokio::time::timeout(COMMENT_EVERY, newest.changed()).await {
            Err(_) => Bytes::from_static(b":\n\n"),
            Ok(Err(_)) => return,
            Ok(Ok(())) => match newest.borrow_and_update().clone() {
                FeedState::Open(Some(part)) => event(&part),
                FeedState::Open(None) => Bytes::from_static(b":\n\n"),
                FeedState::Closed => return,
            },
        };
    }
}

/// Returns an event with the content of the page.
fn event(part: &str) -> Bytes {
    let mut text = String::from("event: live\n");
    for line in part.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

/// The body of a response whose parts come through a channel.
struct EventBody(mpsc::Receiver<Bytes>);

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_line_of_data_for_each_line() {
        assert_eq!(event("<p>\na</p>"), "event: live\ndata: <p>\ndata: a</p>\n\n");
    }
}
