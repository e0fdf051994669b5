//! What a history holds, for tests that count it in their own way.

use std::collections::BTreeMap;
use std::path::Path;

use inga::history::{Filter, Sighting, SightingCounts};
use inga::rules::Rules;
use inga::store::{HistoryStore, LocalStore};

/// A sighting of a whole window, with all its parts added up.
pub(crate) struct Held {
    pub(crate) sensor: String,
    /// The type's canonical string.
    pub(crate) canonical: String,
    pub(crate) sighting: Sighting,
}

pub(crate) fn open(history: &Path) -> LocalStore {
    LocalStore::open_to_read(history, &Rules::shipped().unwrap().profile).unwrap()
}

/// All sightings of whole windows, by sensor, type, host and day.
pub(crate) fn sightings(history: &Path) -> Vec<Held> {
    let store = open(history);
    let mut all = Vec::new();
    for sensor in store.sensors().unwrap() {
        let mut sums: BTreeMap<_, Sighting> = BTreeMap::new();
        store
            .each_sighting(&sensor.name, &Filter::default(), &mut |one| {
                let none = Sighting { counts: SightingCounts::NONE, ..*one };
                let sum = sums.entry((one.number, one.host, one.day)).or_insert(none);
                sum.counts = sum.counts.merged(one.counts);
            })
            .unwrap();
        for sighting in sums.into_values() {
            let canonical = store.type_record(sighting.number).unwrap().behavior.canonical;
            all.push(Held { sensor: sensor.name.clone(), canonical, sighting });
        }
    }
    all
}

/// All sightings as text, a line each.
pub(crate) fn sighting_lines(history: &Path) -> String {
    let line = |held: &Held| {
        let Held { sensor, canonical, sighting } = held;
        format!("{sensor} {canonical} {} {} {:?}\n", sighting.host, sighting.day, sighting.counts)
    };
    sightings(history).iter().map(line).collect()
}

/// All daily counts of whole windows as text, a line each.
pub(crate) fn daily_lines(history: &Path) -> String {
    let store = open(history);
    let mut lines = String::new();
    for sensor in store.sensors().unwrap() {
        let mut add = |count: &inga::history::DailyCount| {
            lines.push_str(&format!("{} {count:?}\n", sensor.name));
        };
        store.each_daily_count(&sensor.name, &Filter::default(), &mut add).unwrap();
    }
    lines
}

/// The bytes of all files of a history, by path within it.
pub(crate) fn bytes(history: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(history).into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let within = entry.path().strip_prefix(history).unwrap().to_owned();
            (within, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}
