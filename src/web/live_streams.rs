//! Streams of server-sent events: all browsers that look at the live page get its newest content.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Maximum number of browsers that get events. Further ones ask for the page now and then.
const STREAMS_MAX: usize = 64;
/// Time without an event after which a comment is sent, which shows whether the browser is still there.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What the streams send.
#[derive(Clone, Debug)]
enum FeedContent {
    /// The newest content of the page; `None` if it was not asked for yet.
    Open(Option<Arc<str>>),
    /// The server ends.
    Closed,
}

/// The newest content of the live page, and the streams that send it.
pub(super) struct LiveFeed {
    newest: watch::Sender<FeedContent>,
    streams: Arc<Semaphore>,
}

impl LiveFeed {
    /// Creates a feed without streams.
    pub(super) fn new() -> LiveFeed {
        LiveFeed {
            newest: watch::Sender::new(FeedContent::Open(None)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        self.newest.send_replace(FeedContent::Closed);
    }

    /// Returns whether any browser gets events.
    pub(super) fn is_watched(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    /// Forgets the content of the page, so that nobody who comes later gets an old one.
    pub(super) fn forget(&self) {
        self.newest.send_if_modified(|newest| {
            if let FeedContent::Open(known) = newest {
                *known = None;
            }
            false
        });
    }

    /// Passes on the content of the page, if it is new.
    pub(super) fn push(&self, part: String) {
        self.newest.send_if_modified(|newest| match newest {
            FeedContent::Open(known) if known.as_deref() != Some(part.as_str()) => {
                *known = Some(part.into());
                true
            }
            _ => false,
        });
    }

    /// Answers a browser that wants events.
    pub(super) fn open_stream(&self) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.streams).try_acquire_owned() else {
            let mut response = Response::new(Body::from("too many browsers look at the live page\n"));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return response;
        };
        let (sender, events) = mpsc::channel(2);
        tokio::spawn(send(self.newest.subscribe(), sender, permit));
        let mut response = Response::new(Body::new(EventBody(events)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response
    }
}

/// Sends events until the browser is gone or the server ends.
async fn send(
    mut newest: watch::Receiver<FeedContent>,
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
                FeedContent::Open(Some(part)) => event(&part),
                FeedContent::Open(None) => Bytes::from_static(b":\n\n"),
                FeedContent::Closed => return,
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
