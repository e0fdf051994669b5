//! What was fed can be taken back: a capture, days, a sample.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use inga::app::observe::{FeedOutcome, observe};
use inga::app::removal::remove_from_store;
use inga::app::{CaptureOptions, Notices};
use inga::capture::Input;
use inga::history::{FacetInclusion, Filter, Sensor, SensorKind, TypeFilter};
use inga::rules::Rules;
use inga::store::{HistoryStore, LocalStore, MemoryStore, StoreError};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::make::packets::{Pcap, RAW_IP, ping, tcp};

/// 2009-03-02 00:00:00 UTC in microseconds.
const START: u64 = 1_235_952_000_000_000;
const HOUR: u64 = 3_600_000_000;

pub(crate) fn sensor(name: &str) -> Sensor {
    Sensor {
        name: name.to_owned(),
        kind: SensorKind::Dark,
        prefixes: vec!["203.0.113.0/24".parse().unwrap()],
        live: Vec::new(),
        time_zone: "UTC".to_owned(),
    }
}

/// A packet every ten minutes from one hour to before another, from a few hosts, and a sweep at each end, whose window is
/// open when the capture ends.
pub(crate) fn capture(hours: std::ops::Range<u64>, salt: u8) -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    let from = |host: u8| [100, 64, salt, host].into();
    for at in hours.start * 6..hours.end * 6 {
        let host = u8::try_from(at % 5).unwrap();
        let to = [203, 0, 113, u8::try_from(1 + at % 200).unwrap()].into();
        let time = START + at * HOUR / 6;
        match host {
            0 => pcap.add(time, ping(from(host), to, 1)),
            _ => pcap.add(time, tcp((from(host), 4000), (to, 445), "S", 1, b"")),
        }
    }
    for at in 0..20u8 {
        let time = START + hours.end * HOUR - 30_000_000 + u64::from(at) * 1_000_000;
        pcap.add(time, tcp((from(99), 4000), ([203, 0, 113, 1 + at].into(), 23), "S", 1, b""));
    }
    pcap.bytes()
}

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) rules: Rules,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        Fixture { folder: TempDir::new().unwrap(), rules: Rules::shipped().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn local(&self, name: &str) -> LocalStore {
        LocalStore::create(&self.path(name), &self.rules.profile).unwrap()
    }

    fn stores(&self, name: &str) -> Vec<Box<dyn HistoryStore>> {
        vec![Box::new(MemoryStore::new()), Box::new(self.local(name))]
    }

    pub(crate) fn feed(&self, store: &mut dyn HistoryStore, sensor: &Sensor, bytes: &[u8]) -> FeedOutcome {
        self.try_feed(store, sensor, bytes).unwrap()
    }

    fn try_feed(
        &self,
        store: &mut dyn HistoryStore,
        sensor: &Sensor,
        bytes: &[u8],
    ) -> Result<FeedOutcome, String> {
        let name = blake3::hash(bytes).to_hex();
        let path = self.path(&format!("{}.pcap", &name[..8]));
        std::fs::write(&path, bytes).unwrap();
        let options = CaptureOptions::default();
        let fed = observe(store, sensor, &Input::Path(path), &options, &self.rules, &mut Notices::default());
        fed.map_err(|error| error.to_string())
    }

    fn remove(&self, store: &mut dyn HistoryStore, bytes: &[u8]) -> Result<Notices, String> {
        let content = *blake3::hash(bytes).as_bytes();
        let record = store.captures("II").unwrap().into_iter().find(|one| one.content == content).unwrap();
        let mut notices = Notices::default();
        let done = remove_from_store(store, &sensor("II"), &record, &self.rules, &mut notices);
        done.map(|()| notices).map_err(|error| error.to_string())
    }
}

/// What a sensor's history answers to each question, with all parts of a sighting added up.
pub(crate) fn answers(store: &dyn HistoryStore, sensor: &str) -> Vec<String> {
    let filter =
        Filter { types: TypeFilter::Predicate(&|_| true, FacetInclusion::Included), ..Filter::default() };
    let mut sums = std::collections::BTreeMap::new();
    store
        .each_sighting(sensor, &filter, &mut |one| {
            let key = (one.number, one.scope, one.host, one.day);
            let sum = sums.entry(key).or_insert(inga::history::SightingCounts::NONE);
            *sum = sum.merged(one.counts);
        })
        .unwrap();
    let (mut days, mut hours) = (String::new(), String::new());
    store.each_daily_count(sensor, &filter, &mut |count| writeln!(days, "{count:?}").unwrap()).unwrap();
    store.each_hourly_count(sensor, &filter, &mut |count| writeln!(hours, "{count:?}").unwrap()).unwrap();
    let totals = format!("{:?}", store.totals(sensor).unwrap());
    let coverage = format!("{:?}", store.coverage(sensor).unwrap());
    vec![format!("{sums:?}"), days, hours, totals, coverage]
}

/// All that a sensor's history answers, examples as well.
pub(crate) fn view(store: &dyn HistoryStore, sensor: &str) -> String {
    let mut text = answers(store, sensor).join("\n");
    let mut numbers = std::collections::BTreeSet::new();
    store.each_sighting(sensor, &Filter::default(), &mut |one| _ = numbers.insert(one.number)).unwrap();
    for number in numbers {
        let behavior = store.type_record(number).unwrap().behavior.id;
        writeln!(text, "{:?}", store.example(sensor, behavior).unwrap()).unwrap();
    }
    text
}

/// The state of the engine, without the clock of the machine in it.
fn state(store: &dyn HistoryStore) -> String {
    format!("{:?}\n{}", store.engine_state("II").unwrap(), view(store, "II"))
}

fn is_whole(history: &Path) {
    let verified = inga(&["history", "verify", "--history", arg(history)]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn the_newest_capture_is_removed_as_if_it_had_never_been_fed(
        cuts in prop::collection::btree_set(1u64..60, 1..4), last in 61u64..90,
    ) {
        let fixture = Fixture::new();
        let ends: Vec<u64> = [0].into_iter().chain(cuts).chain([last]).collect();
        let pieces: Vec<Vec<u8>> = ends.windows(2).map(|pair| capture(pair[0]..pair[1], 0)).collect();
        for mut store in fixture.stores("a") {
            store.add_sensor(&sensor("II")).unwrap();
            let mut before = String::new();
            for piece in &pieces {
                before = state(store.as_ref());
                fixture.feed(store.as_mut(), &sensor("II"), piece);
            }
            let after = state(store.as_ref());
            prop_assert_ne!(&before, &after);
            let newest = pieces.last().unwrap();
            prop_assert!(fixture.remove(store.as_mut(), newest).unwrap().iter().next().is_none());
            prop_assert_eq!(&state(store.as_ref()), &before);
            fixture.feed(store.as_mut(), &sensor("II"), newest);
            prop_assert_eq!(&state(store.as_ref()), &after);
        }
        is_whole(&fixture.path("a"));
    }
}

/// Something that is done to a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Feed(usize),
    Remove(usize),
    Drop(i8, i8),
    Compact,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..PIECES.len()).prop_map(Step::Feed),
        2 => (0..PIECES.len()).prop_map(Step::Remove),
        1 => (2i8..6, 0i8..2).prop_map(|(first, more)| Step::Drop(first, first + more)),
        1 => Just(Step::Compact),
    ];
    prop::collection::vec(step, 1..12)
}

/// Hours of captures that do not overlap, from parts of a day to several days.
const PIECES: [(u64, u64); 6] = [(0, 10), (10, 20), (22, 50), (50, 60), (60, 66), (70, 100)];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_fed_and_taken_back_a_folder_answers_like_memory(steps in steps()) {
        let fixture = Fixture::new();
        let pieces: Vec<Vec<u8>> = PIECES.iter().map(|(from, to)| capture(*from..*to, 0)).collect();
        let (mut memory, mut local) = (MemoryStore::new(), fixture.local("a"));
        memory.add_sensor(&sensor("II")).unwrap();
        local.add_sensor(&sensor("II")).unwrap();
        for step in &steps {
            match *step {
                Step::Feed(at) => {
                    let fed = fixture.try_feed(&mut local, &sensor("II"), &pieces[at]);
                    // A capture of which some days were dropped overlaps what is left of it, and is refused.
                    let refused = "recorded already";
                    prop_assert!(fed.as_ref().err().is_none_or(|error| error.contains(refused)), "{:?}", fed);
                    prop_assert_eq!(fixture.try_feed(&mut memory, &sensor("II"), &pieces[at]), fed);
                }
                Step::Remove(at) => {
                    let content = blake3::hash(&pieces[at]);
                    if local.is_removable("II", content.as_bytes()).unwrap_or(false) {
                        fixture.remove(&mut local, &pieces[at]).unwrap();
                        fixture.remove(&mut memory, &pieces[at]).unwrap();
                    }
                }
                Step::Drop(first, last) => {
                    let [first, last] = [first, last].map(|day| jiff::civil::date(2009, 3, day));
                    local.drop_days("II", (first, last)).unwrap();
                    memory.drop_days("II", (first, last)).unwrap();
                }
                Step::Compact => _ = local.compact(true).unwrap(),
            }
            prop_assert_eq!(answers(&local, "II"), answers(&memory, "II"), "after {:?}", step);
            prop_assert_eq!(local.engine_state("II").unwrap(), memory.engine_state("II").unwrap());
        }
        drop(local);
        is_whole(&fixture.path("a"));
    }
}

#[test]
fn days_of_an_earlier_capture_become_not_recorded() {
    let fixture = Fixture::new();
    // The second one comes late.
    let pieces = [capture(50..70, 0), capture(25..45, 7)];
    for mut store in fixture.stores("a") {
        store.add_sensor(&sensor("II")).unwrap();
        for piece in &pieces {
            fixture.feed(store.as_mut(), &sensor("II"), piece);
        }
        let notices = fixture.remove(store.as_mut(), &pieces[0]).unwrap();
        assert!(notices.iter().any(|notice| notice.contains("stay counted")));
        let days: Vec<String> =
            store.coverage("II").unwrap().recorded_days.iter().map(ToString::to_string).collect();
        assert_eq!(days, ["2009-03-03"]);
        assert!(store.totals("II").unwrap().iter().all(|total| total.count.day.day() < 4));
    }
    is_whole(&fixture.path("a"));
}

/// A merged segment of one capture that loses a day still belongs to that capture: otherwise its rows would stay when the capture
/// is removed.
#[test]
fn what_a_segment_keeps_without_some_days_still_belongs_to_its_capture() {
    let fixture = Fixture::new();
    let (mut memory, mut local) = (MemoryStore::new(), fixture.local("a"));
    let [kept, late, other] = [capture(60..66, 0), capture(0..10, 0), capture(22..50, 0)];
    let stores: [&mut dyn HistoryStore; 2] = [&mut memory, &mut local];
    for store in stores {
        store.add_sensor(&sensor("II")).unwrap();
        fixture.feed(store, &sensor("II"), &kept);
    }
    local.compact(true).unwrap();
    let stores: [&mut dyn HistoryStore; 2] = [&mut memory, &mut local];
    for store in stores {
        fixture.feed(store, &sensor("II"), &late);
        fixture.remove(store, &late).unwrap();
        fixture.feed(store, &sensor("II"), &other);
        fixture.remove(store, &kept).unwrap();
    }
    assert_eq!(answers(&local, "II"), answers(&memory, "II"));
    drop(local);
    is_whole(&fixture.path("a"));
}

#[test]
fn a_merged_capture_is_refused_with_the_remedy() {
    let fixture = Fixture::new();
    let mut store = fixture.local("a");
    store.add_sensor(&sensor("II")).unwrap();
    let pieces = [capture(0..10, 0), capture(10..20, 0)];
    for piece in &pieces {
        fixture.feed(&mut store, &sensor("II"), piece);
    }
    store.compact(true).unwrap();
    let before = state(&store);
    for piece in &pieces {
        let refused = fixture.remove(&mut store, piece).unwrap_err();
        assert!(
            refused.contains("inga history drop --sensor II --from 2009-03-02 --to 2009-03-02"),
            "{refused}"
        );
    }
    assert_eq!(state(&store), before);
    let missing = store.remove_capture("II", &[1; 32], None);
    assert!(matches!(missing, Err(StoreError::UnknownCapture(_))));
    drop(store);
    let listed = inga(&["capture", "list", "--history", arg(&fixture.path("a")), "--format", "json"]).json();
    assert_eq!(listed.len(), 2);
    for one in &listed {
        assert_eq!(one["removable"], false);
        assert_eq!(one["sensor"], "II");
        assert_eq!(one["spans"].as_array().unwrap().len(), 1);
    }
    let hash = listed[0]["hash"].as_str().unwrap();
    let history = arg(&fixture.path("a")).to_owned();
    let refused = inga(&["capture", "remove", &hash[..8], "--sensor", "II", "--history", &history, "--yes"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("inga history drop"), "{}", refused.stderr);
}

#[test]
fn dropped_days_can_be_fed_again() {
    let fixture = Fixture::new();
    let days = [capture(0..24, 0), capture(24..48, 0), capture(48..72, 0), capture(72..80, 0)];
    let date = |day: i8| jiff::civil::date(2009, 3, day);
    for (at, mut store) in fixture.stores("a").into_iter().enumerate() {
        store.add_sensor(&sensor("II")).unwrap();
        for piece in &days {
            fixture.feed(store.as_mut(), &sensor("II"), piece);
        }
        let before = view(store.as_ref(), "II");
        if at == 1 {
            drop(store);
            let mut merged = fixture.local("a");
            merged.compact(true).unwrap();
            store = Box::new(merged);
            assert_eq!(view(store.as_ref(), "II"), before);
        }
        store.drop_days("II", (date(3), date(4))).unwrap();
        let observed: Vec<i8> =
            store.coverage("II").unwrap().recorded_days.iter().map(|day| day.day()).collect();
        assert_eq!(observed, [2, 5]);
        assert!(store.totals("II").unwrap().iter().all(|total| ![3, 4].contains(&total.count.day.day())));
        assert_eq!(store.captures("II").unwrap().len(), 2);
        for piece in &days[1..3] {
            let fed = fixture.feed(store.as_mut(), &sensor("II"), piece);
            assert!(matches!(fed, FeedOutcome::Stored { .. }), "{fed:?}");
        }
        let packets = |store: &dyn HistoryStore| -> u64 {
            store.totals("II").unwrap().iter().map(|total| total.count.packets).sum()
        };
        // Captures end half a minute before the day, so that no window crosses it.
        assert_eq!(packets(store.as_ref()), 80 * 6 + 4 * 20);
    }
    is_whole(&fixture.path("a"));
}

#[test]
fn a_capture_that_is_partly_dropped_is_cut_and_no_longer_known() {
    let fixture = Fixture::new();
    let whole = capture(0..72, 0);
    let date = |day: i8| jiff::civil::date(2009, 3, day);
    for mut store in fixture.stores("a") {
        store.add_sensor(&sensor("II")).unwrap();
        fixture.feed(store.as_mut(), &sensor("II"), &whole);
        store.drop_days("II", (date(4), date(9))).unwrap();
        let captures = store.captures("II").unwrap();
        assert_eq!(captures.len(), 1);
        assert!(!store.has_capture("II", blake3::hash(&whole).as_bytes()).unwrap());
        assert_eq!(captures[0].last().unwrap().to_string(), "2009-03-03T23:59:59.999999999Z");
        assert!(!store.is_removable("II", &captures[0].content).unwrap());
        // The last day is fed again, and goes on where the history now ends.
        let last = capture(48..72, 0);
        assert!(matches!(fixture.feed(store.as_mut(), &sensor("II"), &last), FeedOutcome::Stored { .. }));
        assert_eq!(store.coverage("II").unwrap().recorded_days.len(), 3);
    }
    is_whole(&fixture.path("a"));
}

#[test]
fn nobody_is_asked_in_a_script_and_nothing_is_lost_without_yes() {
    let fixture = Fixture::new();
    let mut store = fixture.local("a");
    store.add_sensor(&sensor("II")).unwrap();
    let bytes = capture(0..10, 0);
    fixture.feed(&mut store, &sensor("II"), &bytes);
    let before = view(&store, "II");
    drop(store);
    let folder = fixture.path("a");
    let name = format!("{}.pcap", &blake3::hash(&bytes).to_hex()[..8]);
    let name = fixture.path(&name);
    let history = ["--sensor", "II", "--history", arg(&folder)];
    let call = |first: &[&str], yes: bool| {
        let all: Vec<&str> = first.iter().chain(&history).copied().chain(yes.then_some("--yes")).collect();
        inga(&all)
    };
    let days = ["history", "drop", "--from", "2009-03-02", "--to", "2009-03-02"];
    assert_eq!(call(&days, false).code, 2);
    assert_eq!(call(&["capture", "remove", arg(&name)], false).code, 2);
    assert_eq!(view(&fixture.local("a"), "II"), before);
    let removed = call(&["capture", "remove", arg(&name)], true);
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert!(fixture.local("a").captures("II").unwrap().is_empty());
    fixture.feed(&mut fixture.local("a"), &sensor("II"), &bytes);
    let dropped = call(&days, true);
    assert_eq!(dropped.code, 0, "{}", dropped.stderr);
    assert!(dropped.stdout.contains("1 recorded days and 1 captures"), "{}", dropped.stdout);
    let nothing = call(&days, true);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("no recorded day"), "{}", nothing.stderr);
}

#[test]
fn a_sample_is_removed_by_its_id() {
    let fixture = Fixture::new();
    let folder = fixture.path("a");
    let mut store = fixture.local("a");
    let profile = inga::sample::SampleProfile { id: "one".to_owned(), ..Default::default() };
    let sample = inga::sample::KeptSample { path: String::new(), report: String::new(), profile };
    store.put_sample(&sample).unwrap();
    assert!(!store.remove_sample("two").unwrap());
    drop(store);
    let args = |id| ["sample", "remove", id, "--history", arg(&folder)];
    assert_eq!(inga(&args("two")).code, 2);
    let removed = inga(&args("one"));
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert!(fixture.local("a").samples().unwrap().is_empty());
}
