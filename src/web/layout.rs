//! What all pages have in common: the bar, the dots of the sensors, the theme, and error pages.

use askama::Template;

use crate::app::history_source::Readable;
use crate::app::now;
use crate::app::overview::{Overview, SensorState, sensor_states};
use crate::escape::escape_hidden_lines;
use crate::incident::HealthCondition;

use super::assets::VERSION;
use super::format::lag;
use super::reply::{PageError, Reply};
use super::request::{PageRequest, PageTheme, segment};

/// The parts of the site, as the navigation names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageSection {
    /// The overview.
    Overview,
    /// Incidents.
    Incidents,
    /// The newest windows.
    Live,
    /// Samples and families.
    Samples,
    /// Sensors.
    Sensors,
    /// None of them, such as a host.
    None,
}

impl PageSection {
    const NAVIGATION: [(PageSection, &'static str, &'static str); 5] = [
        (PageSection::Overview, "/", "Overview"),
        (PageSection::Incidents, "/incidents", "Incidents"),
        (PageSection::Live, "/live", "Live"),
        (PageSection::Samples, "/samples", "Samples"),
        (PageSection::Sensors, "/sensors", "Sensors"),
    ];
}

/// A sensor in the bar.
pub(super) struct Dot {
    /// Its name.
    pub(super) name: String,
    /// The address of its page.
    pub(super) href: String,
    /// The class of its colors.
    pub(super) class: &'static str,
    /// Its state in words.
    pub(super) words: String,
}

/// A step of the way to a page.
pub(super) struct Crumb {
    /// Its name.
    pub(super) name: String,
    /// Its address.
    pub(super) href: String,
}

impl Crumb {
    /// Creates a step.
    pub(super) fn new(name: impl Into<String>, href: impl Into<String>) -> Crumb {
        Crumb { name: name.into(), href: href.into() }
    }
}

/// What all pages have in common.
pub(super) struct Layout {
    /// The title of the page.
    pub(super) title: String,
    /// The word of the theme.
    pub(super) theme: &'static str,
    /// The themes: word, title, whether it is chosen, and the address that chooses it.
    pub(super) themes: Vec<(&'static str, &'static str, bool, String)>,
    /// The version of the assets.
    pub(super) version: &'static str,
    /// The token of forms.
    pub(super) token: String,
    /// The text in the search box.
    pub(super) search: String,
    /// The sensors in the bar.
    pub(super) dots: Vec<Dot>,
    /// The way to the page.
    pub(super) crumbs: Vec<Crumb>,
    /// The sections: address, name, and whether the page is in it.
    pub(super) navigation: Vec<(&'static str, &'static str, bool)>,
    /// Under which name changes are recorded.
    pub(super) user: String,
}

impl Layout {
    /// Creates the layout of a page. Sensors are read from the history.
    pub(super) fn new(
        request: &PageRequest,
        store: &Readable,
        section: PageSection,
        title: impl Into<String>,
        crumbs: Vec<Crumb>,
    ) -> Result<Layout, PageError> {
        let seen = sensor_states(store, now())?;
        Ok(Layout::with_overview(request, section, title, crumbs, &seen))
    }

    /// Creates the layout of a page for which the sensors were read.
    pub(super) fn with_overview(
        request: &PageRequest,
        section: PageSection,
        title: impl Into<String>,
        crumbs: Vec<Crumb>,
        seen: &Overview,
    ) -> Layout {
        Layout { dots: dots(seen), ..Layout::bare(request, section, title, crumbs) }
    }

    /// Creates the layout of a page without sensors, for when the history cannot be read.
    fn bare(
        request: &PageRequest,
        section: PageSection,
        title: impl Into<String>,
        crumbs: Vec<Crumb>,
    ) -> Layout {
        let here = request.query.address(&request.path);
        let theme = |theme: PageTheme, title| {
            let to = super::request::QueryPairs(vec![
                ("set".to_owned(), theme.word().to_owned()),
                ("back".to_owned(), here.clone()),
            ]);
            (theme.word(), title, theme == request.theme, to.address("/theme"))
        };
        let navigation = PageSection::NAVIGATION.map(|(known, href, name)| (href, name, known == section));
        Layout {
            title: title.into(),
            theme: request.theme.word(),
            themes: vec![
                theme(PageTheme::System, "as the system"),
                theme(PageTheme::Light, "light"),
                theme(PageTheme::Dark, "dark"),
            ],
            version: VERSION.as_str(),
            token: request.session.token(&request.server.key),
            search: request.query.get("q").unwrap_or("").to_owned(),
            dots: Vec::new(),
            crumbs,
            navigation: navigation.to_vec(),
            user: user(),
        }
    }
}

/// Returns the name under which changes are recorded: the account that runs the server.
pub(super) fn user() -> String {
    crate::app::account().unwrap_or_else(|| "operator".to_owned())
}

/// Returns the class of the colors of a state.
pub(super) fn state_class(state: SensorState) -> &'static str {
    match state {
        SensorState::Recording => "ok",
        SensorState::Wrong(HealthCondition::Late | HealthCondition::DiskNearlyFull) => "late",
        SensorState::Wrong(HealthCondition::Lossy) => "lossy",
        SensorState::Wrong(_) => "silent",
        SensorState::Empty => "unknown",
    }
}

fn dots(seen: &Overview) -> Vec<Dot> {
    let dot = |one: &crate::app::overview::SensorOverview| {
        let ago = match one.lag_seconds {
            Some(seconds) if seen.is_live => format!(", last packet {} ago", lag(seconds)),
            Some(seconds) if seconds >= 86_400.0 => format!(", {} before the end of the data", lag(seconds)),
            _ => String::new(),
        };
        let word = match (seen.is_live, one.state) {
            (false, SensorState::Recording) => "recorded to the end of the data",
            (_, state) => state.word(),
        };
        Dot {
            name: one.sensor.name.clone(),
            href: format!("/sensors/{}", segment(&one.sensor.name)),
            class: state_class(one.state),
            words: format!("{word}{ago}"),
        }
    };
    seen.sensors.iter().map(dot).collect()
}

/// Returns a rendered page as a reply. The template escapes markup; hidden characters, whatever their source, are
/// escaped here.
pub(super) fn html(page: &impl Template) -> Result<Reply, PageError> {
    Ok(Reply::Html(escape_hidden_lines(&page.render()?)))
}

#[derive(Template)]
#[template(path = "error.html", config = "src/web/templates/askama.toml")]
struct ErrorPage {
    layout: Layout,
    what: String,
    remedy: &'static str,
}

/// Returns the page of an error.
pub(super) fn error_page(request: &PageRequest, error: &PageError) -> String {
    let (title, what, remedy) = error.words();
    let with_sensors = request
        .server
        .readers
        .ask(|store| Layout::new(request, store, PageSection::None, title, Vec::new()).ok());
    let with_sensors = with_sensors.ok().flatten();
    let layout = with_sensors.unwrap_or_else(|| Layout::bare(request, PageSection::None, title, Vec::new()));
    let page = ErrorPage { layout, what, remedy };
    let text = page.render().unwrap_or_else(|_| format!("{title}\n"));
    escape_hidden_lines(&text)
}
