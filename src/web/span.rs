//! The span of time and the sensors that a page shows, as chips in one place. Both are part of the address.

use askama::Template;
use jiff::civil::Date;

use crate::app::overview::Overview;

use super::format::day;
use super::reply::PageError;
use super::request::PageRequest;

/// Numbers of days that can be chosen with one click.
const LENGTHS: [(i64, &str); 4] = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year")];

/// A chip.
struct Chip {
    words: String,
    href: String,
    is_chosen: bool,
}

/// The chosen span of time and sensors, and what else can be chosen.
#[derive(Template)]
#[template(path = "span.html", config = "src/web/templates/askama.toml")]
pub(super) struct SpanChips {
    /// The first day; `None` for the first recorded one.
    pub(super) first: Option<Date>,
    /// The last day; `None` for the last recorded one.
    pub(super) last: Option<Date>,
    words: String,
    lengths: Vec<Chip>,
    sensors: Vec<Chip>,
    path: String,
    hidden: Vec<(String, String)>,
}

impl SpanChips {
    /// Reads the span of time and the sensors from the address. Lengths end where the data end.
    pub(super) fn new(request: &PageRequest, seen: &Overview) -> Result<SpanChips, PageError> {
        let (first, last) = (request.date("from")?, request.date("to")?);
        if let (Some(first), Some(last)) = (first, last)
            && first > last
        {
            return Err(PageError::Wrong(format!("The span begins on {first} and ends before, on {last}.")));
        }
        let recorded = seen.first_day().zip(seen.last_day());
        let of_length = |(days, words): (i64, &str)| {
            let (begin, end) = recorded?;
            let from = end.saturating_sub(jiff::Span::new().days(days - 1));
            let is_shorter = from > begin;
            let pairs = request.query.with("to", "").with("from", &from.to_string());
            is_shorter.then(|| Chip {
                words: words.to_owned(),
                href: pairs.address(&request.path),
                is_chosen: first == Some(from) && last.is_none(),
            })
        };
        let mut lengths: Vec<Chip> = LENGTHS.into_iter().filter_map(of_length).collect();
        lengths.push(Chip {
            words: "all".to_owned(),
            href: request.query.with("to", "").with("from", "").address(&request.path),
            is_chosen: first.is_none() && last.is_none(),
        });
        let chosen = request.query.all("sensor");
        let of_sensor = |name: &str| Chip {
            words: name.to_owned(),
            href: request.address_with("sensor", name),
            is_chosen: chosen.len() == 1 && chosen[0] == name,
        };
        let mut sensors = Vec::new();
        if seen.sensors.len() > 1 {
            sensors.push(Chip {
                words: "all sensors".to_owned(),
                href: request.address_with("sensor", ""),
                is_chosen: chosen.is_empty(),
            });
            sensors.extend(seen.sensors.iter().map(|one| of_sensor(&one.sensor.name)));
        }
        let words = match (first.or(recorded.map(|span| span.0)), last.or(recorded.map(|span| span.1))) {
            (Some(first), Some(last)) => format!("{} – {}", day(first), day(last)),
            _ => "no data".to_owned(),
        };
        let hidden = request.query.0.iter().filter(|(name, _)| !["from", "to"].contains(&name.as_str()));
        Ok(SpanChips {
            first,
            last,
            words,
            lengths,
            sensors,
            path: request.path.clone(),
            hidden: hidden.cloned().collect(),
        })
    }

    fn date(date: &Option<Date>) -> String {
        date.map(|date| date.to_string()).unwrap_or_default()
    }
}
