//! What came last, as tiles: one a pattern, the newest first; and packets a second.

use askama::Template;

use crate::app::history_source::Readable;
use crate::app::live::{LiveBehavior, LiveSensor, live};
use crate::app::overview::{Overview, sensor_states};
use crate::app::{AppError, now};
use crate::escape::escape_hidden_lines;
use crate::render::svg::{Theme, without_style};
use crate::render::tile::{Tile, tile_svg};

use crate::web::behavior_words::sentence;
use crate::web::format::{NONE, ShownTime, counted, rate_in_words};
use crate::web::layout::{Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, Server, segment};
use crate::web::sparkline::sparkline;

use super::behavior::example_of;

/// Maximum number of tiles.
const TILES_MAX: usize = 12;

/// A behavior that came last at a time.
struct LiveTile {
    words: String,
    href: String,
    sensor: String,
    hosts: String,
    last: ShownTime,
    picture: Option<String>,
}

/// The packets a second of a sensor.
struct LiveRate {
    sensor: String,
    href: String,
    now: String,
    picture: String,
}

/// The part of the page that is replaced by events.
#[derive(Template)]
#[template(path = "live_part.html", config = "src/web/templates/askama.toml")]
struct LiveContent {
    finding: String,
    rates: Vec<LiveRate>,
    tiles: Vec<LiveTile>,
}

#[derive(Template)]
#[template(path = "live.html", config = "src/web/templates/askama.toml")]
struct LivePage {
    layout: Layout,
    /// The rendered part.
    part: String,
}

/// Answers requests for `/live`.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let seen = sensor_states(store, now())?;
    let part = part(&request.server, store, &seen)?.render()?;
    let layout = Layout::with_overview(request, PageSection::Live, "Live", Vec::new(), &seen);
    html(&LivePage { layout, part })
}

/// Returns the part of the page that changes, as events send it.
pub(in crate::web) fn live_part(server: &Server, store: &Readable) -> Result<String, PageError> {
    let seen = sensor_states(store, now())?;
    Ok(escape_hidden_lines(&part(server, store, &seen)?.render()?))
}

fn part(server: &Server, store: &Readable, seen: &Overview) -> Result<LiveContent, PageError> {
    let view = live(store, seen, TILES_MAX)?;
    let mut tiles = Vec::new();
    for one in view.behaviors.iter().take(TILES_MAX) {
        tiles.push(tile(server, store, seen, one)?);
    }
    let finding = match (tiles.first(), seen.is_live) {
        (None, _) => "Nothing was recorded yet.".to_owned(),
        (Some(newest), true) => format!(
            "Newest packet shown: {}. The tiles are frequent patterns of the last ten minutes, newest first.",
            newest.last.local
        ),
        (Some(newest), false) => format!(
            "Nothing arrives now. Newest packet shown: {}. The tiles are frequent patterns of the last recorded day, newest first.",
            newest.last.local
        ),
    };
    Ok(LiveContent { finding, rates: view.sensors.iter().map(rate).collect(), tiles })
}

fn tile(
    server: &Server,
    store: &Readable,
    seen: &Overview,
    one: &LiveBehavior,
) -> Result<LiveTile, PageError> {
    let sensor = seen.sensors.iter().find(|known| known.sensor.name == one.sensor);
    let zone = sensor.map(|known| known.sensor.zone()).transpose().map_err(AppError::from)?;
    let record = &one.main_type;
    let picture = example_of(server, store, record.behavior.id, std::slice::from_ref(&one.sensor));
    Ok(LiveTile {
        words: sentence(&record.parameters),
        href: format!("/patterns/{}", record.pattern.id),
        sensor: one.sensor.clone(),
        hosts: counted(one.hosts, "host", "hosts"),
        last: ShownTime::new(one.last, &zone.unwrap_or(jiff::tz::TimeZone::UTC)),
        picture: picture.map(|picture| {
            // What the legend says stands above the tile.
            let picture = Tile { legend: Vec::new(), title: String::new(), ..picture };
            without_style(&tile_svg(&picture, Theme::Auto))
        }),
    })
}

fn rate(one: &LiveSensor) -> LiveRate {
    let newest = one.rates.iter().rev().flatten().next().copied();
    let most = one.rates.iter().flatten().copied().reduce(f64::max).unwrap_or(0.0);
    let missing = one.rates.iter().filter(|rate| rate.is_none()).count();
    let gap = if missing == 0 { "" } else { "; times that were not recorded are shaded" };
    let words = format!("at most {} packets a second in ten minutes{gap}", rate_in_words(most));
    // Bars have whole numbers: thousandths of a packet a second.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are small and not negative"
    )]
    let values: Vec<Option<u64>> =
        one.rates.iter().map(|rate| rate.map(|rate| (rate * 1_000.0).round() as u64)).collect();
    LiveRate {
        sensor: one.sensor.clone(),
        href: format!("/sensors/{}", segment(&one.sensor)),
        now: newest.map_or_else(|| NONE.to_owned(), rate_in_words),
        picture: sparkline(&values, &words),
    }
}
