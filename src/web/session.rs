//! Sessions of browsers, and the tokens that show that a form came from a page of this server.

use super::reply::PageError;

/// The cookie with the id of the session.
pub(super) const SESSION_COOKIE: &str = "inga_session";
/// The cookie with the chosen colors.
pub(super) const THEME_COOKIE: &str = "inga_theme";
/// The form field with the token.
pub(super) const TOKEN_FIELD: &str = "token";

/// The key from which the tokens of forms are computed. It is new in each run, so that a page of an earlier run
/// must be loaded again.
pub(super) struct Key([u8; 32]);

impl Key {
    /// Creates a key of random bytes.
    pub(super) fn random() -> Result<Key, String> {
        Ok(Key(random_bytes()?))
    }
}

fn random_bytes() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(bytes)
}

/// The session of a browser.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Its id: 64 hexadecimal digits.
    pub(super) id: String,
    /// Whether the browser does not know the id yet.
    pub(super) is_new: bool,
}

impl Session {
    /// Returns the session that a cookie names, or a new one.
    pub(super) fn from_cookie(cookie: Option<&str>) -> Result<Session, String> {
        let is_id = |id: &&str| id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        match cookie.filter(is_id) {
            Some(id) => Ok(Session { id: id.to_owned(), is_new: false }),
            None => Ok(Session { id: crate::escape::hex(&random_bytes()?), is_new: true }),
        }
    }

    /// Returns the token for the forms of this session.
    pub(super) fn token(&self, key: &Key) -> String {
        blake3::keyed_hash(&key.0, self.id.as_bytes()).to_hex().to_string()
    }

    /// Fails unless a form has the token of this session.
    pub(super) fn check(&self, key: &Key, token: Option<&str>) -> Result<(), PageError> {
        let expected = blake3::keyed_hash(&key.0, self.id.as_bytes());
        let given = token.and_then(|token| blake3::Hash::from_hex(token).ok());
        // Hashes are compared in constant time.
        if given == Some(expected) { Ok(()) } else { Err(PageError::NotFromHere) }
    }
}

/// Returns the value of a cookie in the header field `Cookie`.
pub(super) fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .find_map(|pair| pair.trim().split_once('=').filter(|(known, _)| *known == name))
        .map(|(_, value)| value)
}
