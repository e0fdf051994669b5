//! The stylesheet, the script and the icon, which are part of the program.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, Response, StatusCode, header};

/// The stylesheet: that of the pages and that of the pictures in them.
static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}\n{}", include_str!("assets/inga.css"), crate::render::svg::page_style()));
const SCRIPT: &str = include_str!("assets/inga.js");
const ICON: &str = include_str!("assets/icon.svg");

/// The first digits of the hash of all assets. It is part of their addresses, so that browsers keep them until they
/// change.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = blake3::Hasher::new();
    for text in [STYLE.as_str(), SCRIPT, ICON] {
        hash.update(text.as_bytes());
    }
    hash.finalize().to_hex().chars().take(12).collect()
});

/// Answers a request for an asset.
pub(super) async fn asset(Path(name): Path<String>) -> Response<Body> {
    let found = match name.as_str() {
        "inga.css" => Some(("text/css; charset=utf-8", STYLE.as_str())),
        "inga.js" => Some(("text/javascript; charset=utf-8", SCRIPT)),
        "icon.svg" => Some(("image/svg+xml", ICON)),
        _ => None,
    };
    let Some((kind, text)) = found else {
        let mut response = Response::new(Body::from("no such file\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
