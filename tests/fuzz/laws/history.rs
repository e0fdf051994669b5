//! Histories of which a file was changed, by accident or by whoever made it: they are read without harm, and no answer is wrong.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use inga::app::observe::observe;
use inga::app::{CaptureOptions, Notices};
use inga::behavior::BehaviorId;
use inga::capture::Input;
use inga::history::{
    BehaviorFilter, FacetInclusion, Filter, Granularity, Outage, Sensor, SensorKind, TypeFilter,
};
use inga::rules::Rules;
use inga::store::{HistoryStore, LocalStore, StoreError};
use jiff::civil::date;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::agree;

static RULES: LazyLock<Rules> = LazyLock::new(|| ready(Rules::shipped()));

/// What has to be there before anything can be tried.
#[expect(clippy::panic, reason = "without it there is nothing to test")]
fn ready<T, E: std::fmt::Display>(made: Result<T, E>) -> T {
    made.unwrap_or_else(|error| panic!("{error}"))
}

/// A small history: its files by their paths, the catalog first.
pub(crate) struct Made {
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
    answers: Vec<Answer>,
}

/// What a question gave, or why it was refused.
type Answer = (&'static str, Result<String, String>);

/// Histories as they were fed, compacted, and without the sightings of the first month.
pub(crate) static HISTORIES: LazyLock<Vec<Made>> =
    LazyLock::new(|| vec![ready(make(0)), ready(make(1)), ready(make(2))]);

/// The places of segments in the compacted history: sightings, counts and examples of the first month.
pub(crate) fn segments() -> Vec<usize> {
    let files = &HISTORIES[1].files;
    let of = |kind: &str| files.iter().position(|(path, _)| path.starts_with(kind));
    ["sightings", "counts", "examples"].into_iter().filter_map(of).collect()
}

/// A pcap of raw IP (link type 101) with a packet of each kind from some hosts, and again a day and a month later.
fn capture() -> Vec<u8> {
    const SECONDS: u32 = 1_235_955_600;
    let word = |word: u32| word.to_le_bytes();
    let mut file = [word(0xa1b2_c3d4), [2, 0, 4, 0], word(0), word(0), word(65_535), word(101)].concat();
    for day in [0, 1, 40] {
        for host in 1..9u8 {
            let (low, high) = (host & 3, host >> 2);
            let mut packet =
                vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 100, 64, 0, host, 203, 0, 113, low];
            packet.extend([15, 160, 1, 0xbd - high, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0]);
            for again in 0..=u32::from(high) {
                let second = SECONDS + day * 86_400 + u32::from(host) * 40 + again * 3;
                file.extend([word(second), word(0), word(40), word(40)].concat());
                file.extend(&packet);
            }
        }
    }
    file
}

fn make(steps: u8) -> Result<Made, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (history, path) = (folder.path().join("history"), folder.path().join("a.pcap"));
    let sensor = Sensor {
        name: "s".to_owned(),
        kind: SensorKind::Dark,
        prefixes: vec!["203.0.113.0/24".parse()?],
        live: Vec::new(),
        time_zone: "Asia/Tokyo".to_owned(),
    };
    std::fs::write(&path, capture())?;
    let mut store = LocalStore::create(&history, &RULES.profile)?;
    store.add_sensor(&sensor)?;
    let options = CaptureOptions::default();
    observe(&mut store, &sensor, &Input::Path(path), &options, &RULES, &mut Notices::default())?;
    let (first, last) = (date(2009, 3, 20), date(2009, 3, 21));
    store.add_outage("s", &Outage { first, last, reason: "data loss".to_owned() })?;
    if steps >= 1 {
        store.compact(true)?;
    }
    if steps >= 2 {
        store.retain(date(2009, 4, 1))?;
    }
    drop(store);
    let mut files = Vec::new();
    for path in files_of(&history)? {
        files.push((path.strip_prefix(&history)?.to_owned(), std::fs::read(&path)?));
    }
    files.sort_by_key(|(path, _)| (!path.ends_with("catalog.sqlite"), path.clone()));
    let answers = answers(&history);
    Ok(Made { files, answers })
}

fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_of(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

/// Writes a history with other bytes for one of its files.
fn write(made: &Made, changed: usize, bytes: &[u8]) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (at, (path, whole)) in made.files.iter().enumerate() {
        let path = folder.path().join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, if at == changed { bytes } else { whole })?;
    }
    Ok(folder)
}

/// Asks everything that a store answers.
fn answers(history: &Path) -> Vec<Answer> {
    let store = match LocalStore::open_to_read(history, &RULES.profile) {
        Ok(store) => store,
        Err(error) => return vec![("open", Err(error.to_string()))],
    };
    let mut all: Vec<Answer> = Vec::new();
    let mut add = |name, answer: Result<String, StoreError>| {
        all.push((name, answer.map_err(|error| error.to_string())));
    };
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let everything =
        Filter { types: TypeFilter::Predicate(&|_| true, FacetInclusion::Included), ..Filter::default() };
    let one_host = Filter { sources: "100.64.0.5/32".parse().ok(), ..Filter::default() };
    let mut numbers = std::collections::BTreeSet::new();
    add("sensors", store.sensors().map(|found| text(&found)));
    add("coverage", store.coverage("s").map(|found| text(&found)));
    add("captures", store.captures("s").map(|found| text(&found)));
    add("resume", store.engine_state("s").map(|found| text(&found)));
    add("totals", store.totals("s").map(|found| text(&found)));
    add("marks", store.mark_names().map(|found| text(&found)));
    add("samples", store.samples().map(|found| text(&found.len())));
    add("kept", store.sightings_kept_from("s").map(|found| text(&found)));
    for (name, filter) in [("sightings", &everything), ("a host", &one_host)] {
        let mut lines = Vec::new();
        let asked = store.each_sighting("s", filter, &mut |one| {
            numbers.insert(one.number);
            lines.push(text(one));
        });
        lines.sort_unstable();
        add(name, asked.map(|()| lines.concat()));
        let mut lines = String::new();
        let asked = store.each_daily_count("s", filter, &mut |one| lines.push_str(&text(one)));
        add("daily counts", asked.map(|()| lines));
    }
    let mut lines = String::new();
    let asked = store.each_hourly_count("s", &everything, &mut |one| lines.push_str(&text(one)));
    add("hourly counts", asked.map(|()| lines));
    for number in numbers.into_iter().take(4) {
        let id: BehaviorId = match store.type_record(number) {
            Ok(record) => record.behavior.id,
            Err(error) => {
                add("a type", Err(error));
                continue;
            }
        };
        let selection = BehaviorFilter { granularity: Granularity::Type, id, facets: true };
        add("an example", store.example("s", id).map(|found| text(&found)));
        add("hosts", store.hosts("s", &selection, 9).map(|found| text(&found)));
        add("series", store.series("s", &[selection]).map(|found| text(&found)));
    }
    all
}

/// Every answer is the same as before, or refused. Questions about a type are not asked where there are no sightings.
fn same_or_refused(before: &[Answer], now: &[Answer]) {
    if now.iter().any(|(_, answer)| answer.is_err()) {
        for ((name, before), (_, now)) in before.iter().zip(now).take_while(|(a, b)| a.0 == b.0) {
            if let (Ok(before), Ok(now)) = (before, now) {
                agree(name, before, now);
            }
        }
    } else {
        agree("answers", &before.to_vec(), &now.to_vec());
    }
}

/// The place of a segment, then a segment's bytes: damage is refused where it would change an answer; and bytes that the catalog
/// lists with their own hashes, as an attacker would, give any answer or none, but do no harm.
pub(crate) fn segment(data: &[u8]) {
    let [place, bytes @ ..] = data else { return };
    let (made, places) = (&HISTORIES[1], segments());
    let changed = places[usize::from(*place) % places.len()];
    let Ok(damaged) = write(made, changed, bytes) else { return };
    same_or_refused(&made.answers, &answers(damaged.path()));
    let bytes = with_own_hashes(bytes, &made.files[changed].1);
    let Ok(hostile) = write(made, changed, &bytes) else { return };
    if list(hostile.path(), &made.files[changed].0, &bytes).is_ok() {
        answers(hostile.path());
        verify(hostile.path());
    }
}

/// Which history, then a catalog's bytes: they are refused, or `verify` finds a fault, or every answer is the same.
pub(crate) fn catalog(data: &[u8]) {
    let [which, bytes @ ..] = data else { return };
    let made = &HISTORIES[usize::from(*which) % HISTORIES.len()];
    let Ok(folder) = write(made, 0, bytes) else { return };
    let now = answers(folder.path());
    if verify(folder.path()) {
        same_or_refused(&made.answers, &now);
    }
}

/// Whether a history is as it was written, as far as `verify` says.
fn verify(history: &Path) -> bool {
    let Ok(store) = LocalStore::open_to_read(history, &RULES.profile) else { return false };
    let mut faults = 0;
    store.verify(&mut |_| faults += 1).is_ok() && faults == 0
}

/// Puts the hash of each changed row group in the place of the one that it had.
fn with_own_hashes(bytes: &[u8], before: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let key = b"inga.row_groups";
    let Some(at) = before.windows(key.len()).position(|part| part == key) else { return bytes };
    let text = String::from_utf8_lossy(&before[at + key.len()..]).into_owned();
    let mut start = 4;
    for part in text.split(|c: char| !c.is_ascii_hexdigit() && c != ':') {
        let Some((end, hash)) = part.split_once(':').filter(|(_, hash)| hash.len() >= 64) else { continue };
        // The length before the text may look like a digit of the first number.
        let Some(end) = (0..end.len()).find_map(|skip| {
            let end = end[skip..].parse::<usize>().ok()?;
            (end > start && end <= before.len()).then_some(end)
        }) else {
            break;
        };
        let hash = &hash.as_bytes()[..64];
        let new = bytes.get(start..end).map(|group| blake3::hash(group).to_hex());
        let place = bytes.windows(64).position(|part| part == hash);
        if let (Some(new), Some(place)) = (new, place) {
            bytes[place..place + 64].copy_from_slice(new.as_bytes());
        }
        start = end;
    }
    bytes
}

/// Lists a segment with its own size and hash, and a row's checksum (see `src/store/local/FORMAT.md`).
fn list(history: &Path, path: &Path, bytes: &[u8]) -> rusqlite::Result<()> {
    let connection = Connection::open(history.join("catalog.sqlite"))?;
    let path = path.to_str().unwrap_or_default();
    let (size, tail): (i64, i64) =
        connection.query_row("SELECT bytes, tail FROM segment WHERE path = ?1", [path], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    // The tail begins as far from the end as it did.
    let size_now = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let tail = (size_now - (size - tail)).max(0);
    let hash =
        blake3::hash(usize::try_from(tail).ok().and_then(|tail| bytes.get(tail..)).unwrap_or_default());
    connection.execute(
        "UPDATE segment SET bytes = ?2, tail = ?3, hash = ?4 WHERE path = ?1",
        (path, size_now, tail, hash.as_bytes()),
    )?;
    let checksum = connection.query_row("SELECT * FROM segment WHERE path = ?1", [path], |row| {
        let mut checksum = blake3::Hasher::new();
        checksum.update(b"segment");
        for at in 0..row.as_ref().column_count() - 1 {
            let value = row.get_ref(at)?;
            let (kind, bytes) = match value {
                ValueRef::Null => (0, Vec::new()),
                ValueRef::Integer(number) => (1, number.to_le_bytes().to_vec()),
                ValueRef::Real(number) => (2, number.to_le_bytes().to_vec()),
                ValueRef::Text(text) => (3, text.to_vec()),
                ValueRef::Blob(blob) => (4, blob.to_vec()),
            };
            checksum.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
        }
        let [a, b, c, d, ..] = *checksum.finalize().as_bytes();
        Ok(i64::from(i32::from_le_bytes([a, b, c, d])))
    })?;
    connection.execute("UPDATE segment SET checksum = ?2 WHERE path = ?1", (path, checksum))?;
    Ok(())
}
