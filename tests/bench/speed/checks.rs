//! What programs find, compared before any time is taken.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::path::Path;

use inga::capture::{Input, ReadOptions, read};
use inga::history::{DayTotal, Filter};
use inga::rules::Rules;
use inga::store::{HistoryStore, LocalStore};
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::files::Files;
use crate::history::History;
use crate::plain::{Plain, Totals};
use crate::process::Program;
use crate::rows::{Found, Row};

/// What a plain reading finds.
pub(crate) struct Truth {
    pub(crate) whole: Totals,
    /// In the packets that are there as text.
    text: Vec<Value>,
}

impl Truth {
    pub(crate) fn of(files: &Files, packets: u64) -> Truth {
        let whole = plainly(&files.pcap, packets);
        let text = match &files.text {
            Some((_, first)) if *first < packets => plainly(&files.pcap, *first).days,
            _ => whole.days.clone(),
        };
        Truth { whole, text }
    }

    /// Windows of all days together.
    pub(crate) fn windows(&self) -> u64 {
        self.whole.days.iter().filter_map(|day| day["windows"].as_u64()).sum()
    }
}

/// The first packets of a capture, read plainly.
fn plainly(pcap: &Path, first: u64) -> Totals {
    let mut plain = Plain::default();
    let mut left = first;
    read(&Input::Path(pcap.to_owned()), &ReadOptions::default(), &mut |packet, _| {
        if left > 0 {
            left -= 1;
            plain.push(packet);
        }
    })
    .expect("the capture is one");
    plain.finish()
}

/// Whether a program finds what there is. inga has to; another that does not is named, to be left out.
pub(crate) fn agrees(row: &Row, truth: &Truth) -> bool {
    let told = match &row.found {
        Found::Nothing => return true,
        Found::Printed => row.program.text(),
        Found::Unfed(history) => {
            history.reset();
            row.program.text()
        }
        Found::PrintedBy(reader) => {
            row.program.text();
            reader.text()
        }
        Found::SummedBy(reader) => {
            row.program.text();
            return most_of(row, summed(reader));
        }
        Found::Days => {
            assert_eq!(days(&row.program.stdout()), truth.whole.days, "{}", row.name);
            return true;
        }
        Found::TextDays => {
            assert_eq!(days(&row.program.stdout()), truth.text, "{}", row.name);
            return true;
        }
        Found::LinesBy(counter) => {
            let lines = counter.text().trim().parse();
            assert_eq!(lines, Ok(truth.windows()), "{}", row.name);
            return true;
        }
        Found::History(history) => {
            history.reset();
            row.program.stdout();
            assert_eq!(kept(history), truth.whole.days, "{}", row.name);
            return true;
        }
    };
    let digits = told.replace(',', "");
    let found = digits.split(|c: char| !c.is_ascii_digit()).any(|word| word == row.packets.to_string());
    if !found {
        println!("left out: {} ({})", row.name, told.lines().next().unwrap_or("it printed nothing"));
    }
    found
}

fn days(json: &str) -> Vec<Value> {
    json.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// A history's days as a summary has them.
fn kept(history: &History) -> Vec<Value> {
    let profile = Rules::shipped().expect("the shipped rules").profile;
    let store = LocalStore::open_to_read(&history.folder, &profile).expect("a history");
    let mut sightings: BTreeMap<Date, HashSet<(IpAddr, u64)>> = BTreeMap::new();
    store
        .each_sighting("s", &Filter::default(), &mut |sighting| {
            sightings.entry(sighting.day).or_default().insert((sighting.host, sighting.number));
        })
        .expect("sightings");
    let mut days = Vec::new();
    for DayTotal { count, types } in store.totals("s").expect("days of a history") {
        let sightings = sightings.get(&count.day).map_or(0, HashSet::len);
        days.push(json!({"schema": 1, "day": count.day.to_string(), "packets": count.packets,
                         "windows": count.windows, "hosts": count.hosts, "types": types, "sightings": sightings}));
    }
    days
}

/// One core and two have to write the same segments, byte for byte; returns the bytes of all.
pub(crate) fn same(one: &History, two: &History) -> usize {
    let segments = one.segments();
    let (a, b) = (one.folder.display(), two.folder.display());
    assert!(!segments.is_empty() && segments == two.segments(), "{a} and {b} differ");
    segments.values().map(Vec::len).sum()
}

/// Whether so many of a row's packets were counted that only those of IPv6 are missing, about one in a hundred.
fn most_of(row: &Row, counted: u64) -> bool {
    println!("{} counts {counted} of {} packets", row.name, row.packets);
    counted <= row.packets && counted >= row.packets / 100 * 97
}

fn summed(reader: &Program) -> u64 {
    let text = reader.text();
    text.lines().filter_map(|line| line.rsplit(',').next()?.trim().parse::<u64>().ok()).sum()
}
