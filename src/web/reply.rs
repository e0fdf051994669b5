//! Answers to requests, and errors as pages that say what to do.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::app::AppError;

/// The answer of a page function.
pub(super) enum Reply {
    /// A page.
    Html(String),
    /// Something else: the type of its content, the name under which it is saved if any, and the content.
    Content(&'static str, Option<String>, Vec<u8>),
    /// Another address.
    Redirect(String),
    /// Another address, after a cookie was set.
    RedirectWithCookie(String, String),
}

impl Reply {
    /// Returns the reply as a response.
    pub(super) fn into_response(self) -> Response<Body> {
        let with_type = |kind: &'static str, body: Vec<u8>| {
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        };
        match self {
            Reply::Html(page) => with_type("text/html; charset=utf-8", page.into_bytes()),
            Reply::Content(kind, name, body) => {
                let mut response = with_type(kind, body);
                let attached = name.map(|name| format!("attachment; filename=\"{}\"", file_name(&name)));
                if let Some(Ok(value)) = attached.map(|value| HeaderValue::from_str(&value)) {
                    response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
                }
                response
            }
            Reply::Redirect(address) => redirect(&address, None),
            Reply::RedirectWithCookie(address, cookie) => redirect(&address, Some(&cookie)),
        }
    }
}

fn redirect(address: &str, cookie: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let values = [(header::LOCATION, Some(address)), (header::SET_COOKIE, cookie)];
    for (name, value) in values {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Returns a file name without characters that mean something to a shell, a folder or a header.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    name.chars().map(plain).collect::<String>().trim_start_matches('.').to_owned()
}

/// The reason why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    /// There is no such thing: a sentence about it.
    Missing(String),
    /// The address or form asks for something impossible: a sentence with the remedy.
    Wrong(String),
    /// A form without the token of the session.
    NotFromHere,
    /// The history could not answer.
    Failed(AppError),
    /// The answer took too long.
    Slow,
    /// The page could not be written.
    Template(String),
}

impl From<AppError> for PageError {
    fn from(error: AppError) -> PageError {
        match error {
            AppError::Usage(message) => PageError::Missing(message),
            other => PageError::Failed(other),
        }
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> PageError {
        PageError::Template(error.to_string())
    }
}

impl From<std::io::Error> for PageError {
    fn from(error: std::io::Error) -> PageError {
        PageError::Wrong(error.to_string())
    }
}

impl PageError {
    /// Returns the status code.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            PageError::Missing(_) => StatusCode::NOT_FOUND,
            PageError::Wrong(_) => StatusCode::BAD_REQUEST,
            PageError::NotFromHere => StatusCode::FORBIDDEN,
            PageError::Failed(_) | PageError::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
            PageError::Slow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the heading, what happened, and what to do about it.
    pub(super) fn words(&self) -> (&'static str, String, &'static str) {
        match self {
            PageError::Missing(what) => (
                "Nothing here",
                what.clone(),
                "Search for an address, a port, a type or a sample above, or begin at the overview.",
            ),
            PageError::Wrong(what) => {
                ("This cannot be asked", what.clone(), "Correct the address of the page, or go back and try again.")
            }
            PageError::NotFromHere => (
                "The form was not accepted",
                "It does not carry the token of this session: it is from another site, or from before the server was \
                 started anew."
                    .to_owned(),
                "Go back, load the page again, and send the form once more. Nothing was changed.",
            ),
            PageError::Failed(error) => (
                "The history could not answer",
                error.to_string(),
                "Run inga history verify if this lasts. Nothing was changed.",
            ),
            PageError::Slow => (
                "This takes too long",
                "The answer was not ready within the time limit of a request.".to_owned(),
                "Ask for a shorter span of time or for one sensor, or use the command line, which has no time limit.",
            ),
            PageError::Template(error) => ("The page could not be written", error.clone(), "This is a fault of inga."),
        }
    }
}
