//! A request for a page, and what all requests share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use tokio::sync::Semaphore;

use crate::app::AppError;
use crate::app::history_readers::HistoryReaders;
use crate::app::history_source::HistorySource;
use crate::app::watch::OwnNetwork;
use crate::rules::Rules;

use super::live_streams::LiveFeed;
use super::reply::PageError;
use super::session::{Key, Session};

/// Maximum number of questions that are asked of the history at once. Further requests wait.
const QUESTIONS_AT_ONCE: usize = 4;

/// What all requests share.
pub(super) struct Server {
    /// The folder of the history.
    pub(super) history: PathBuf,
    /// The stores that answer questions about it.
    pub(super) readers: HistoryReaders,
    /// The rules.
    pub(super) rules: Rules,
    /// The operator's own networks.
    pub(super) own_networks: Vec<OwnNetwork>,
    /// The key of forms.
    pub(super) key: Key,
    /// The address that is listened on.
    pub(super) address: SocketAddr,
    /// What browsers that look at the live page get.
    pub(super) live: LiveFeed,
    /// One permit for each question that may be asked of the history now.
    pub(super) questions: Arc<Semaphore>,
}

impl Server {
    /// Creates the shared part.
    ///
    /// # Errors
    /// When the history cannot be read, or the system has no random bytes.
    pub(super) fn new(
        history: PathBuf,
        address: SocketAddr,
        rules: Rules,
        own_networks: Vec<OwnNetwork>,
    ) -> Result<Server, AppError> {
        let readers = HistoryReaders::new(&history, &rules.profile);
        readers.ask(|_| ())?;
        let key = Key::random().map_err(AppError::Usage)?;
        let questions = Arc::new(Semaphore::new(QUESTIONS_AT_ONCE));
        let live = LiveFeed::new();
        Ok(Server { history, readers, rules, own_networks, key, address, live, questions })
    }

    /// Returns the name of the own network of a host, if it is in one.
    pub(super) fn own_network(&self, host: std::net::IpAddr) -> Option<&str> {
        let found = self.own_networks.iter().find(|network| network.prefix.contains(&host));
        found.map(|network| network.name.as_str())
    }

    /// Returns the source of the history.
    pub(super) fn source(&self) -> HistorySource {
        HistorySource::Folder(self.history.clone())
    }
}

/// The chosen colors of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageTheme {
    /// As the system is set.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl PageTheme {
    /// Returns the word for cookies and addresses.
    pub(super) fn word(self) -> &'static str {
        match self {
            PageTheme::System => "system",
            PageTheme::Light => "light",
            PageTheme::Dark => "dark",
        }
    }

    /// Returns the theme of a word.
    pub(super) fn from_word(word: &str) -> Option<PageTheme> {
        [PageTheme::System, PageTheme::Light, PageTheme::Dark].into_iter().find(|theme| theme.word() == word)
    }
}

/// Names and values, in order, as they stand behind `?` in an address or in a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QueryPairs(pub(super) Vec<(String, String)>);

impl QueryPairs {
    /// Parses `a=1&b=2`.
    pub(super) fn parse(text: &[u8]) -> QueryPairs {
        QueryPairs(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns the first value of a name, without spaces around it; `None` if it is empty or missing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.trim()).filter(|value| !value.is_empty())
    }

    /// Returns all values of a name that are not empty.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(known, value)| known == name && !value.trim().is_empty());
        values.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// Returns the pairs with one name set to a value, or without the name if the value is empty.
    pub(super) fn with(&self, name: &str, value: &str) -> QueryPairs {
        let mut pairs: Vec<_> = self.0.iter().filter(|(known, _)| known != name).cloned().collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value.to_owned()));
        }
        QueryPairs(pairs)
    }

    /// Returns an address with these pairs.
    pub(super) fn address(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(&self.0);
        format!("{path}?{}", text.finish())
    }
}

/// Returns text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A request for a page.
pub(super) struct PageRequest {
    /// What all requests share.
    pub(super) server: Arc<Server>,
    /// The path, percent-encoded.
    pub(super) path: String,
    /// The parts of the path that vary, by name.
    pub(super) parts: HashMap<String, String>,
    /// What stands behind `?`.
    pub(super) query: QueryPairs,
    /// The chosen colors.
    pub(super) theme: PageTheme,
    /// The browser's session.
    pub(super) session: Session,
}

impl PageRequest {
    /// Returns a part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    /// Returns the date behind a name.
    pub(super) fn date(&self, name: &str) -> Result<Option<Date>, PageError> {
        let parse = |text: &str| {
            let wrong = || PageError::Wrong(format!("`{name}` is `{text}`, and no date like 2009-03-02"));
            text.parse().map_err(|_| wrong())
        };
        self.query.get(name).map(parse).transpose()
    }

    /// Returns the address of this page with a name set to a value.
    pub(super) fn address_with(&self, name: &str, value: &str) -> String {
        self.query.with(name, value).address(&self.path)
    }
}
