//! What came on the last day, as tiles: one a pattern, the newest first.

use std::collections::HashMap;

use askama::Template;

use crate::app::overview::overview;
use crate::app::{AppError, now};
use crate::history::{Filter, Sighting};
use crate::packet::Timestamp;
use crate::render::svg::{Theme, without_style};
use crate::render::tile::{Tile, tile_svg};

use crate::web::behavior_words::sentence;
use crate::web::format::{ShownTime, counted};
use crate::web::layout::{Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::PageRequest;

use super::behavior::example_of;

/// Maximum number of tiles.
const TILES_MAX: usize = 12;
/// Maximum number of types that are looked at for their patterns.
const TYPES_MAX: usize = 400;

/// A behavior that came last at a time.
struct LiveTile {
    words: String,
    href: String,
    sensor: String,
    hosts: String,
    last: ShownTime,
    picture: Option<String>,
}

#[derive(Template)]
#[template(path = "live.html", config = "src/web/templates/askama.toml")]
struct LivePage {
    layout: Layout,
    finding: String,
    tiles: Vec<LiveTile>,
}

/// What came of a type on the last day of a sensor.
#[derive(Clone, Copy)]
struct Newest {
    last: Timestamp,
    hosts: u64,
    packets: u64,
}

/// Answers requests for `/live`.
pub(in crate::web) fn page(request: &PageRequest) -> Result<Reply, PageError> {
    let store = request.open()?;
    let seen = overview(store.as_ref(), now(), None)?;
    let mut tiles: Vec<(Timestamp, LiveTile)> = Vec::new();
    for one in &seen.sensors {
        let Some((_, day)) = one.coverage.span() else { continue };
        let zone = one.sensor.zone().map_err(AppError::from)?;
        let mut types: HashMap<u64, Newest> = HashMap::new();
        let filter = Filter { first: Some(day), last: Some(day), ..Filter::default() };
        let mut add = |sighting: &Sighting| {
            let newest = types.entry(sighting.number).or_insert(Newest {
                last: sighting.counts.last,
                hosts: 0,
                packets: 0,
            });
            newest.last = newest.last.max(sighting.counts.last);
            newest.hosts += 1;
            newest.packets += sighting.counts.packets;
        };
        store.each_sighting(&one.sensor.name, &filter, &mut add).map_err(AppError::from)?;
        let mut ranked: Vec<(u64, Newest)> = types.into_iter().collect();
        // Of the last day, the types with the most packets: single stray packets say little.
        ranked.sort_by_key(|(number, newest)| (std::cmp::Reverse(newest.packets), *number));
        let mut patterns = Vec::new();
        for (number, newest) in ranked.into_iter().take(TYPES_MAX) {
            if patterns.len() == TILES_MAX {
                break;
            }
            let record = store.type_record(number).map_err(AppError::from)?;
            if patterns.contains(&record.pattern.id) {
                continue;
            }
            patterns.push(record.pattern.id);
            let names = std::slice::from_ref(&one.sensor.name);
            let tile = example_of(request, store.as_ref(), record.behavior.id, names);
            tiles.push((
                newest.last,
                LiveTile {
                    words: sentence(&record.parameters),
                    href: format!("/patterns/{}", record.pattern.id),
                    sensor: one.sensor.name.clone(),
                    hosts: counted(newest.hosts, "host", "hosts"),
                    last: ShownTime::new(newest.last, &zone),
                    picture: tile.map(|tile| {
                        // What the legend says stands above the tile.
                        let tile = Tile { legend: Vec::new(), title: String::new(), ..tile };
                        without_style(&tile_svg(&tile, Theme::Auto))
                    }),
                },
            ));
        }
    }
    tiles.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
    tiles.truncate(TILES_MAX);
    let finding = match (tiles.first(), seen.is_live) {
        (None, _) => "Nothing was recorded yet.".to_owned(),
        (Some((_, newest)), true) => format!("The newest window is of {}.", newest.last.local),
        (Some((_, newest)), false) => {
            format!("Nothing arrives now: the history ends with the window of {}.", newest.last.local)
        }
    };
    let layout = Layout::with_overview(request, PageSection::Live, "Live", Vec::new(), &seen);
    html(&LivePage { layout, finding, tiles: tiles.into_iter().map(|(_, tile)| tile).collect() })
}
