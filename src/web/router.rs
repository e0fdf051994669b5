//! The addresses of the page, and what holds for every request: limits, headers, sessions, time-outs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};

use crate::app::history_source::Readable;

use super::pages;
use super::reply::{PageError, Reply};
use super::request::{PageRequest, PageTheme, QueryPairs, Server};
use super::session::{SESSION_COOKIE, Session, THEME_COOKIE, TOKEN_FIELD, cookie};
use super::{assets, layout, live_feed};

/// Maximum size of a form in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Maximum time of a request, with the time that it waits for its turn.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// What a browser may load and run: nothing but this server's own files, no style or script inside of pages, and no
/// page of this server inside of another one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The policy of a picture that is opened by itself: it may use its own styles.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// The parts of a path that vary, by name.
type Parts = HashMap<String, String>;
/// A function that answers requests for a page. It blocks.
type PageFunction = fn(&PageRequest, &Readable) -> Result<Reply, PageError>;
/// A function that answers a form. It blocks.
type FormFunction = fn(&PageRequest, &QueryPairs) -> Result<Reply, PageError>;

/// Returns the router of all addresses.
pub(super) fn router(server: Arc<Server>) -> Router {
    let mut router: Router<Arc<Server>> = Router::new();
    for (path, function) in pages::PAGES {
        router = router.route(path, page(*function));
    }
    // A form has the address of the page that shows its result.
    for (path, function) in pages::FORMS {
        router = router.route(path, form(*function));
    }
    router
        .route("/assets/{name}", get(assets::asset))
        .route("/live/events", get(live_feed::events))
        .fallback(page(pages::missing))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&server), around))
        .with_state(server)
}

fn page(function: PageFunction) -> MethodRouter<Arc<Server>> {
    get(move |State(server): State<Arc<Server>>, parts: Option<Path<Parts>>, request: Request| {
        let asked = asked(server, parts, &request);
        async move { answer(asked, function).await }
    })
}

fn form(function: FormFunction) -> MethodRouter<Arc<Server>> {
    post(move |State(server): State<Arc<Server>>, parts: Option<Path<Parts>>, request: Request| {
        let asked = asked(server, parts, &request);
        async move {
            let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await;
            let checked = move |request: &PageRequest, _store: &Readable| {
                let body = body
                    .map_err(|_| PageError::Wrong(format!("A form has at most {FORM_BYTES_MAX} bytes.")))?;
                let fields = QueryPairs::parse(&body);
                request.session.check(&request.server.key, fields.get(TOKEN_FIELD))?;
                function(request, &fields)
            };
            answer(asked, checked).await
        }
    })
}

/// Returns what a page function needs of a request.
fn asked(
    server: Arc<Server>,
    parts: Option<Path<Parts>>,
    request: &Request,
) -> Result<Arc<PageRequest>, String> {
    let cookies = request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or("");
    Ok(Arc::new(PageRequest {
        server,
        path: request.uri().path().to_owned(),
        parts: parts.map(|Path(parts)| parts).unwrap_or_default(),
        query: QueryPairs::parse(request.uri().query().unwrap_or("").as_bytes()),
        theme: cookie(cookies, THEME_COOKIE).and_then(PageTheme::from_word).unwrap_or(PageTheme::System),
        session: Session::from_cookie(cookie(cookies, SESSION_COOKIE))?,
    }))
}

/// Answers a request on a thread that may block, in its turn and within the time limit.
async fn answer(
    asked: Result<Arc<PageRequest>, String>,
    function: impl FnOnce(&PageRequest, &Readable) -> Result<Reply, PageError> + Send + 'static,
) -> Response<Body> {
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return failure(error),
    };
    let blocking = {
        let asked = Arc::clone(&asked);
        async move {
            let permit = Arc::clone(&asked.server.questions).acquire_owned().await.ok();
            let question = Arc::clone(&asked);
            // The permit is held until the function ends, also if nobody waits for it any more.
            let run = tokio::task::spawn_blocking(move || {
                let result = question.server.readers.ask(|store| function(&question, store));
                drop(permit);
                result.unwrap_or_else(|error| Err(error.into()))
            })
            .await;
            run.unwrap_or_else(|_| Err(PageError::Template("the page function ended early".to_owned())))
        }
    };
    let result = tokio::time::timeout(REQUEST_TIME_MAX, blocking).await.unwrap_or(Err(PageError::Slow));
    let mut response = match result {
        Ok(reply) => reply.into_response(),
        Err(error) => {
            let status = error.status();
            let asked = Arc::clone(&asked);
            let page = tokio::task::spawn_blocking(move || layout::error_page(&asked, &error)).await;
            let mut response = Reply::Html(page.unwrap_or_default()).into_response();
            *response.status_mut() = status;
            response
        }
    };
    if asked.session.is_new {
        let cookie = format!("{SESSION_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", asked.session.id);
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// Returns the response of a failure that has no page.
fn failure(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Refuses requests under a foreign name, and adds the headers of every response.
async fn around(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    if !is_own_name(request.headers(), server.address.ip()) {
        let mut response = Response::new(Body::from("This server answers under its own address only.\n"));
        *response.status_mut() = axum::http::StatusCode::MISDIRECTED_REQUEST;
        return response;
    }
    let mut response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let policy = if kind == Some("image/svg+xml") { PICTURE_POLICY } else { POLICY };
    let fields = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Returns whether a request names the loopback host. A page of another site whose name leads to this machine would
/// otherwise be able to read the answers (DNS rebinding).
fn is_own_name(headers: &HeaderMap, own: IpAddr) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|value| value.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    name.eq_ignore_ascii_case("localhost")
        || address.is_some_and(|address| address.is_loopback() || address == own)
}
