//! What every store must do, asked of each of them; and what a history's folder must survive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use inga::app::observe::{FeedOutcome, observe};
use inga::app::{CaptureOptions, Notices};
use inga::behavior::{Behavior, Parameters, Ports, ProtocolSet};
use inga::capture::Input;
use inga::history::{
    BehaviorFilter, BehaviorSummary, DailyCount, DayState, FacetInclusion, Filter, Granularity, HourlyCount,
    Outage, Sensor, SensorKind, Sighting, SightingCounts, TypeFilter, TypeRecord,
};
use inga::packet::{AddressSpace, Protocol, Timestamp};
use inga::rules::Rules;
use inga::sample::{KeptSample, SampleProfile};
use inga::store::{HistoryStore, LocalStore, MemoryStore, StoreError};
use jiff::civil::date;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::make::packets::{Pcap, RAW_IP, ping, tcp, udp};

/// 2009-03-01 23:58:00 UTC: a capture that begins here soon crosses midnight.
const START: u64 = 1_235_951_880_000_000;

fn sensor(zone: &str) -> Sensor {
    Sensor {
        name: "II".to_owned(),
        kind: SensorKind::Dark,
        prefixes: vec!["203.0.113.0/24".parse().unwrap()],
        live: vec!["203.0.113.64/26".parse().unwrap()],
        time_zone: zone.to_owned(),
    }
}

/// A packet of a made capture: pause before it in milliseconds, host, address, kind.
type Step = (u64, u8, u8, u8);

fn frame((_, host, to, kind): Step) -> Vec<u8> {
    let (from, to) = ([100, 64, 0, host].into(), [203, 0, 113, to].into());
    match kind {
        0 => ping(from, to, 1),
        1 => udp((from, 1434), (to, 1434), b"x"),
        2 => tcp((from, 80), (to, 1024), "SA", 1, b""),
        3 => tcp((from, 4000), (to, 23), "S", u32::from(to), b""),
        4 => tcp((from, 4000), (to, 2323), "S", u32::from(to), b""),
        _ => tcp((from, 1061), (to, 445), "S", 1, b""),
    }
}

/// The steps as captures cut before each of `cuts`.
fn captures(steps: &[Step], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut pieces = vec![Pcap::new(RAW_IP)];
    let mut time = START;
    for (at, step) in steps.iter().enumerate() {
        time += step.0 * 1_000;
        if at > 0 && cuts.contains(&at) {
            pieces.push(Pcap::new(RAW_IP));
        }
        pieces.last_mut().unwrap().add(time, frame(*step));
    }
    pieces.into_iter().map(Pcap::bytes).collect()
}

/// Whether each of these captures has a packet to a dark address. One without is not stored: it is most probably of another
/// sensor.
fn all_have_dark_packets(steps: &[Step], cuts: &[usize]) -> bool {
    let mut pieces = vec![false];
    for (at, (_, _, to, _)) in steps.iter().enumerate() {
        if at > 0 && cuts.contains(&at) {
            pieces.push(false);
        }
        *pieces.last_mut().unwrap() |= !(64..128).contains(to);
    }
    pieces.into_iter().all(|dark| dark)
}

struct Fixture {
    folder: TempDir,
    rules: Rules,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { folder: TempDir::new().unwrap(), rules: Rules::shipped().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn memory(&self) -> Box<dyn HistoryStore> {
        Box::new(MemoryStore::new())
    }

    fn local(&self, name: &str) -> Box<dyn HistoryStore> {
        Box::new(LocalStore::create(&self.path(name), &self.rules.profile).unwrap())
    }

    /// One of each kind, empty.
    fn stores(&self, name: &str) -> Vec<Box<dyn HistoryStore>> {
        vec![self.memory(), self.local(name)]
    }

    fn feed(&self, store: &mut dyn HistoryStore, sensor: &Sensor, bytes: &[u8]) -> FeedOutcome {
        let path = self.path("fed.pcap");
        std::fs::write(&path, bytes).unwrap();
        let options = CaptureOptions::default();
        observe(store, sensor, &Input::Path(path), &options, &self.rules, &mut Notices::default()).unwrap()
    }

    fn fed(&self, mut store: Box<dyn HistoryStore>, captures: &[Vec<u8>]) -> Box<dyn HistoryStore> {
        let sensor = sensor("Asia/Tokyo");
        store.add_sensor(&sensor).unwrap();
        for capture in captures {
            assert!(matches!(self.feed(store.as_mut(), &sensor, capture), FeedOutcome::Stored { .. }));
        }
        store
    }
}

fn selections(behaviors: &BTreeSet<(Granularity, Behavior)>) -> Vec<BehaviorFilter> {
    let one = |(granularity, behavior): &(Granularity, Behavior), facets| BehaviorFilter {
        granularity: *granularity,
        id: behavior.id,
        facets,
    };
    behaviors.iter().flat_map(|behavior| [one(behavior, false), one(behavior, true)]).collect()
}

/// Sightings and counts that some filters let through, with all parts of a sighting added up.
fn sightings(store: &dyn HistoryStore, sensor: &str) -> String {
    let to_445 = |parameters: &Parameters| parameters.ports == Ports::Listed(vec![445].into());
    let filters = [
        Filter::default(),
        Filter { types: TypeFilter::Predicate(&to_445, FacetInclusion::Included), ..Filter::default() },
        Filter { types: TypeFilter::Predicate(&to_445, FacetInclusion::Excluded), ..Filter::default() },
        Filter { types: TypeFilter::Service(Protocol::Tcp, 23), ..Filter::default() },
        Filter { sources: Some("100.64.0.0/30".parse().unwrap()), ..Filter::default() },
        Filter { sources: Some("100.64.0.2/32".parse().unwrap()), ..Filter::default() },
        Filter { last: Some(date(2009, 3, 2)), ..Filter::default() },
        Filter { first: Some(date(2009, 3, 3)), ..Filter::default() },
    ];
    let mut out = String::new();
    for filter in &filters {
        let mut sums: BTreeMap<_, SightingCounts> = BTreeMap::new();
        let mut take = |sighting: &Sighting| {
            let key = (sighting.number, sighting.scope, sighting.host, sighting.day, sighting.signature);
            let sum = sums.entry(key).or_insert(SightingCounts::NONE);
            *sum = sum.merged(sighting.counts);
        };
        store.each_sighting(sensor, filter, &mut take).unwrap();
        let mut days = Vec::new();
        store.each_daily_count(sensor, filter, &mut |count| days.push(*count)).unwrap();
        let order = |count: &DailyCount| (count.number, count.scope, count.day);
        assert!(days.is_sorted_by(|a, b| order(a) < order(b)), "{days:?}");
        let mut hours: Vec<HourlyCount> = Vec::new();
        let counted = store.each_hourly_count(sensor, filter, &mut |count| hours.push(*count));
        assert_eq!(counted.is_err(), filter.sources.is_some(), "hours are not counted by source");
        assert!(hours.is_sorted_by(|a, b| a.order(b).is_lt()), "{hours:?}");
        out.push_str(&format!("{filter:?} {sums:#?} {days:#?} {hours:#?}\n"));
        for number in days.iter().map(|count| count.number).collect::<BTreeSet<_>>() {
            out.push_str(&format!("{number} {:?}\n", store.type_record(number).unwrap()));
        }
    }
    out
}

/// Everything that a store can be asked, as text.
fn view(store: &dyn HistoryStore) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for sensor in store.sensors().unwrap() {
        let name = &sensor.name;
        writeln!(out, "{sensor:?} {:?}", store.coverage(name).unwrap()).unwrap();
        writeln!(out, "{:?}", store.totals(name).unwrap()).unwrap();
        out.push_str(&sightings(store, name));
        let (mut recent, midnight) = (BTreeSet::new(), Timestamp(1_235_952_000_000_000_000));
        let mut add = |one: &Sighting| _ = recent.insert((one.number, one.host));
        store.each_recent_sighting(name, midnight, &mut add).unwrap();
        writeln!(out, "{recent:?} {:?}", store.totals_until(name, date(2009, 3, 1)).unwrap()).unwrap();
        let mut behaviors = BTreeSet::new();
        for protocols in ["TCP:S", "TCP:SA", "TCP:S+SA", "UDP", "ICMP", "ICMP,TCP:S", "TCP:S,UDP"] {
            let protocol = protocol_set(protocols);
            let ports = [None, Some(Ports::Listed(vec![445].into())), Some(Ports::None)];
            let services = ports.map(|ports| (protocol.clone(), ports));
            for (service, near) in
                services.iter().zip(store.types_of_services(name, &services, 1000).unwrap())
            {
                writeln!(out, "{service:?} {near:?}").unwrap();
                for total in near {
                    let record = total.record;
                    behaviors.insert((Granularity::Type, record.behavior));
                    behaviors.insert((Granularity::Shape, record.shape));
                    behaviors.insert((Granularity::Pattern, record.pattern));
                }
            }
        }
        let selections = selections(&behaviors);
        let mut habits = store.behavior_summaries(name, &selections, 3).unwrap().into_iter();
        for (selection, series) in selections.iter().zip(store.series(name, &selections).unwrap()) {
            writeln!(out, "{selection:?} {series:?}").unwrap();
            let hosts = store.hosts(name, selection, 3).unwrap();
            let types = store.types(name, selection, 5).unwrap();
            writeln!(out, "{hosts:?} {types:?}").unwrap();
            let seen_as = types.into_iter().next().map(|total| total.record);
            let known = |record: &TypeRecord| store.example(name, record.behavior.id).unwrap();
            let example = seen_as.as_ref().and_then(known);
            assert_eq!(
                habits.next(),
                Some(BehaviorSummary { series, hosts, most_frequent_type: seen_as, example }),
                "{selection:?}"
            );
            writeln!(out, "{:?}", store.example(name, selection.id).unwrap()).unwrap();
        }
    }
    out
}

fn protocol_set(text: &str) -> ProtocolSet {
    use inga::behavior::ProtocolToken;
    use inga::packet::TcpFlags;
    let token = |text: &str| match text {
        "UDP" => ProtocolToken { protocol: Protocol::Udp, flags: None },
        "ICMP" => ProtocolToken { protocol: Protocol::Icmp, flags: None },
        letters => {
            let letters = letters.trim_start_matches("TCP:").chars();
            let flags = letters.filter_map(TcpFlags::from_letter).fold(TcpFlags::default(), TcpFlags::with);
            ProtocolToken { protocol: Protocol::Tcp, flags: Some(flags) }
        }
    };
    text.split([',', '+']).map(token).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Some addresses lie in the sensor's live hole.
    prop::collection::vec((0..9_000u64, 1..5u8, 40..90u8, 0..8u8), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pieces_and_backends_give_the_same_history(steps in steps(), cuts in prop::collection::vec(1..80usize, 0..4)) {
        prop_assume!(all_have_dark_packets(&steps, &cuts));
        let fixture = Fixture::new();
        let whole = view(fixture.fed(fixture.memory(), &captures(&steps, &[])).as_ref());
        let pieces = captures(&steps, &cuts);
        let in_memory = view(fixture.fed(fixture.memory(), &pieces).as_ref());
        prop_assert_eq!(&in_memory, &whole, "pieces in memory");
        let in_local = view(fixture.fed(fixture.local("a"), &pieces).as_ref());
        prop_assert_eq!(&in_local, &whole, "pieces in a folder");
        let mut compacted = LocalStore::create(&fixture.path("a"), &fixture.rules.profile).unwrap();
        compacted.compact(false).unwrap();
        prop_assert_eq!(&view(&compacted), &whole, "compacted");
        compacted.compact(true).unwrap();
        prop_assert_eq!(&view(&compacted), &whole, "months, too");
        let again = compacted.compact(true).unwrap();
        prop_assert_eq!((again.days, again.months), (0, 0), "nothing is left to do");
        let mut faults = Vec::new();
        compacted.verify(&mut |fault| faults.push(fault)).unwrap();
        prop_assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn totals_are_a_recount_of_the_packets(steps in steps()) {
        prop_assume!(all_have_dark_packets(&steps, &[]));
        let fixture = Fixture::new();
        // A host's packets of a day: all whose window began on it. Windows are counted by hand here.
        let (mut time, mut days) = (START, std::collections::BTreeMap::new());
        let mut began = std::collections::BTreeMap::new();
        for (pause, host, to, _) in &steps {
            time += pause * 1_000;
            if (64..128).contains(to) {
                continue;
            }
            let start = began.entry(*host).and_modify(|start| if time >= *start + 30_000_000 { *start = time }).or_insert(time);
            let new = *start == time;
            // Tokyo is nine hours ahead, without summer time.
            let day = (*start / 1_000_000 + 9 * 3_600) / 86_400;
            let entry: &mut (u64, BTreeSet<u8>, BTreeSet<(u8, u64)>) = days.entry(day).or_default();
            entry.0 += 1;
            entry.1.insert(*host);
            if new {
                entry.2.insert((*host, *start));
            }
        }
        let expected: Vec<(u64, u64, u64)> = days
            .values()
            .map(|(packets, hosts, windows)| (*packets, hosts.len() as u64, windows.len() as u64))
            .collect();
        for store in fixture.stores("a") {
            let store = fixture.fed(store, &captures(&steps, &[]));
            let totals = store.totals("II").unwrap();
            let counted: Vec<_> = totals.iter().map(|total| (total.count.packets, total.count.hosts, total.count.windows)).collect();
            prop_assert_eq!(&counted, &expected);
        }
    }
}

const STEPS: [Step; 6] =
    [(0, 1, 1, 5), (100, 1, 2, 5), (0, 2, 1, 3), (50, 2, 1, 4), (40_000, 1, 3, 5), (70_000, 3, 9, 1)];

#[test]
fn feeding_a_capture_again_changes_nothing() {
    let fixture = Fixture::new();
    for store in fixture.stores("a") {
        let pieces = captures(&STEPS, &[2, 4]);
        let mut store = fixture.fed(store, &pieces);
        let before = view(store.as_ref());
        for piece in &pieces {
            assert_eq!(
                fixture.feed(store.as_mut(), &sensor("Asia/Tokyo"), piece),
                FeedOutcome::AlreadyStored
            );
        }
        let compressed = zstd::encode_all(pieces[0].as_slice(), 3).unwrap();
        assert_eq!(
            fixture.feed(store.as_mut(), &sensor("Asia/Tokyo"), &compressed),
            FeedOutcome::AlreadyStored,
            "a capture is known by what it holds, packed or not"
        );
        assert_eq!(view(store.as_ref()), before);
    }
}

#[test]
fn a_window_left_open_counts_once() {
    let fixture = Fixture::new();
    for store in fixture.stores("a") {
        let store = fixture.fed(store, &captures(&[(0, 1, 1, 5), (100, 1, 2, 5)], &[1]));
        let totals = store.totals("II").unwrap();
        assert_eq!((totals[0].count.windows, totals[0].count.packets, totals[0].types), (1, 2, 1));
    }
}

#[test]
fn a_late_capture_adds_up_and_leaves_the_clock_alone() {
    let fixture = Fixture::new();
    let pieces = captures(&STEPS, &[4]);
    for mut store in fixture.stores("a") {
        let sensor = sensor("UTC");
        store.add_sensor(&sensor).unwrap();
        fixture.feed(store.as_mut(), &sensor, &pieces[1]);
        let clock = store.engine_state("II").unwrap().clock;
        fixture.feed(store.as_mut(), &sensor, &pieces[0]);
        assert_eq!(store.engine_state("II").unwrap().clock, clock);
        let packets: u64 = store.totals("II").unwrap().iter().map(|total| total.count.packets).sum();
        assert_eq!(packets, 6);
    }
}

#[test]
fn marks_are_counted_by_host() {
    let fixture = Fixture::new();
    let pings = [(0, 1, 1, 0), (100, 2, 1, 0), (100, 2, 2, 0), (40_000, 2, 1, 0)];
    for store in fixture.stores("a") {
        let store = fixture.fed(store, &captures(&pings, &[3]));
        let service = (protocol_set("ICMP"), Some(Ports::None));
        let types = store.types_of_services("II", &[service], 9).unwrap();
        let id = types[0][0].record.shape.id;
        let selection = BehaviorFilter { granularity: Granularity::Shape, id, facets: false };
        let hosts = store.hosts("II", &selection, 5).unwrap();
        assert_eq!(hosts.mark_counts, [("echo-request".to_owned(), hosts.total)]);
    }
}

#[test]
fn outages_and_samples_are_kept_once() {
    let fixture = Fixture::new();
    for mut store in fixture.stores("a") {
        store.add_sensor(&sensor("UTC")).unwrap();
        store.add_sensor(&sensor("UTC")).unwrap();
        assert!(matches!(store.add_sensor(&sensor("Asia/Tokyo")), Err(StoreError::SensorExists(_))));
        let outage = Outage { first: date(2009, 2, 27), last: date(2009, 3, 9), reason: "loss".to_owned() };
        store.add_outage("II", &outage).unwrap();
        store.add_outage("II", &outage).unwrap();
        let coverage = store.coverage("II").unwrap();
        assert_eq!(coverage.outages, [outage]);
        assert_eq!(coverage.state(date(2009, 3, 2)), DayState::Outage);
        let sample = |report: &str| KeptSample {
            path: "p".to_owned(),
            report: report.to_owned(),
            profile: SampleProfile { id: "a".to_owned(), ..SampleProfile::default() },
        };
        store.put_sample(&sample("one")).unwrap();
        store.put_sample(&sample("two")).unwrap();
        assert_eq!(store.samples().unwrap(), [sample("two")]);
    }
}

#[test]
fn an_unknown_sensor_is_named() {
    let fixture = Fixture::new();
    for mut store in fixture.stores("a") {
        let outage = Outage { first: date(2009, 2, 27), last: date(2009, 3, 9), reason: String::new() };
        let refusals = [
            store.add_outage("nobody", &outage).unwrap_err(),
            store.coverage("nobody").unwrap_err(),
            store.engine_state("nobody").unwrap_err(),
            store.totals("nobody").unwrap_err(),
            store.series("nobody", &[]).unwrap_err(),
            store.has_capture("nobody", &[0; 32]).unwrap_err(),
        ];
        assert!(
            refusals.iter().all(|error| matches!(error, StoreError::UnknownSensor(name) if name == "nobody"))
        );
    }
}

#[test]
fn all_stores_tell_when_captures_began_and_ended() {
    let fixture = Fixture::new();
    let pieces = captures(&STEPS, &[4]);
    let mut told = Vec::new();
    for store in fixture.stores("a") {
        let store = fixture.fed(store, &pieces);
        let mut captures = store.captures("II").unwrap();
        let began: Vec<_> = captures.iter().map(|capture| capture.first()).collect();
        assert!(began.len() == 2 && began.is_sorted(), "{captures:?}");
        assert!(captures.iter().all(|one| one.first() < one.last() && one.recorded >= one.packets));
        assert!(matches!(store.captures("nobody"), Err(StoreError::UnknownSensor(_))));
        // The moment of feeding is the only difference.
        captures.iter_mut().for_each(|capture| capture.fed_at = inga::packet::Timestamp(0));
        told.push(captures);
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
}

#[test]
fn what_was_read_before_another_wrote_is_refused() {
    let fixture = Fixture::new();
    let pieces = captures(&STEPS, &[4]);
    for store in fixture.stores("a") {
        let mut store = fixture.fed(store, &pieces);
        let resume = store.engine_state("II").unwrap();
        let stale = inga::history::Contribution {
            capture: inga::history::CaptureRecord {
                content: [7; 32],
                name: "stale".to_owned(),
                ..inga::history::CaptureRecord::default()
            },
            days: BTreeSet::new(),
            mark_names: Vec::new(),
            types: inga::behavior::Types::new(Rules::shipped().unwrap().profile, AddressSpace::whole())
                .into_list(),
            type_numbers: Vec::new(),
            signatures: Vec::new(),
            closed: inga::history::CollectedSightings::default(),
            open: inga::history::CollectedSightings::default(),
            captures_before: resume.captures - 1,
            engine_state: resume,
        };
        let before = view(store.as_ref());
        assert!(matches!(store.ingest("II", stale), Err(StoreError::ConcurrentChange)));
        assert_eq!(view(store.as_ref()), before);
    }
}

fn refusal(fixture: &Fixture, name: &str) -> String {
    LocalStore::create(&fixture.path(name), &fixture.rules.profile).map(drop).unwrap_err().to_string()
}

#[test]
fn a_history_outlives_its_process() {
    let fixture = Fixture::new();
    let before = view(fixture.fed(fixture.local("a"), &captures(&STEPS, &[3])).as_ref());
    assert_eq!(view(fixture.local("a").as_ref()), before);
}

#[test]
fn what_is_no_history_of_ours_is_refused_and_left_alone() {
    let fixture = Fixture::new();
    let catalog = |name: &str| fixture.path(name).join("catalog.sqlite");
    let open = |name: &str| {
        std::fs::create_dir_all(fixture.path(name)).unwrap();
        rusqlite::Connection::open(catalog(name)).unwrap()
    };
    open("foreign").execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(refusal(&fixture, "foreign").contains("another program"));

    drop(fixture.local("newer"));
    open("newer").pragma_update(None, "user_version", 99).unwrap();
    assert!(refusal(&fixture, "newer").contains("newer inga (schema 99"));

    drop(open("text"));
    std::fs::write(catalog("text"), "not a database, but long enough to be looked at".repeat(40)).unwrap();
    assert!(refusal(&fixture, "text").contains("no inga history"));

    drop(open("empty"));
    std::fs::write(catalog("empty"), "").unwrap();
    assert!(refusal(&fixture, "empty").contains("is empty"));

    // A history of the earlier form was an SQLite file.
    std::fs::write(fixture.path("old.db"), b"SQLite format 3\0and more").unwrap();
    assert!(refusal(&fixture, "old.db").contains("feed the captures again"));

    drop(fixture.local("profile"));
    let mut profile = fixture.rules.profile.clone();
    profile.window_seconds = 60;
    let error = LocalStore::create(&fixture.path("profile"), &profile).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::ProfileMismatch { .. }), "{error}");

    for name in ["foreign", "newer", "text", "empty"] {
        let before = std::fs::read(catalog(name)).unwrap();
        refusal(&fixture, name);
        assert!(std::fs::read(catalog(name)).unwrap() == before, "{name} was touched");
    }
}

#[test]
fn a_truncated_file_gives_an_error_and_no_panic() {
    let fixture = Fixture::new();
    drop(fixture.fed(fixture.local("a"), &captures(&STEPS, &[3])));
    let entries = walkdir::WalkDir::new(fixture.path("a")).into_iter().flatten();
    let files: Vec<PathBuf> =
        entries.filter(|one| one.file_type().is_file()).map(|one| one.into_path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for path in files.iter().filter(|path| path.extension().is_some_and(|kind| kind != "lock")) {
        let whole = std::fs::read(path).unwrap();
        for part in 1..16 {
            std::fs::write(path, &whole[..whole.len() * part / 16]).unwrap();
            let opened = LocalStore::open_to_read(&fixture.path("a"), &fixture.rules.profile);
            let asked = opened.and_then(|store| {
                store.sensors()?;
                store.each_sighting("II", &Filter::default(), &mut |_| {})?;
                store.each_daily_count("II", &Filter::default(), &mut |_| {})?;
                let mut faults = 0;
                store.verify(&mut |_| faults += 1)?;
                if faults == 0 { Ok(()) } else { Err(StoreError::Damaged(format!("{faults} faults"))) }
            });
            assert!(asked.is_err(), "{} cut to {part}/16 went unnoticed", path.display());
        }
        std::fs::write(path, &whole).unwrap();
    }
}

/// Kills `inga observe` at many moments: each time the file is whole, what was told as stored is there, and feeding
/// all again gives the history of a quiet run.
#[test]
fn a_killed_run_leaves_a_whole_history() {
    use std::process::{Command, Stdio};
    let fixture = Fixture::new();
    let steps: Vec<Step> = (0..4_000u64)
        .map(|at| {
            (
                400,
                u8::try_from(at % 200).unwrap(),
                u8::try_from(at % 60).unwrap(),
                u8::try_from(at % 8).unwrap(),
            )
        })
        .collect();
    let cuts: Vec<usize> = (1..20).map(|piece| piece * 200).collect();
    let folder = fixture.path("captures");
    std::fs::create_dir(&folder).unwrap();
    for (at, piece) in captures(&steps, &cuts).iter().enumerate() {
        std::fs::write(folder.join(format!("{at:02}.pcap")), piece).unwrap();
    }
    let start = |db: &Path| {
        let mut store = LocalStore::create(db, &fixture.rules.profile).unwrap();
        store.add_sensor(&sensor("UTC")).unwrap();
        drop(store);
        Command::new(env!("CARGO_BIN_EXE_inga"))
            .args(["observe", "--sensor", "II", "--history"])
            .args([db, &folder])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let quiet = fixture.path("quiet");
    assert!(start(&quiet).wait().unwrap().success());
    let expected = view(&LocalStore::create(&quiet, &fixture.rules.profile).unwrap());
    let db = fixture.path("killed");
    let mut interrupted = 0;
    for pause in [2u64, 5, 9, 14, 20, 27, 35, 44, 54, 65] {
        let mut child = start(&db);
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        interrupted += u32::from(!output.status.success());
        let told = String::from_utf8(output.stdout).unwrap();
        let stored = told.lines().filter(|line| line.ends_with("stored")).count();
        let connection = rusqlite::Connection::open(db.join("catalog.sqlite")).unwrap();
        let intact: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(intact, "ok");
        let kept: i64 = connection.query_row("SELECT count(*) FROM capture", [], |row| row.get(0)).unwrap();
        assert!(
            usize::try_from(kept).unwrap() >= stored,
            "{stored} captures were told as stored, {kept} are there"
        );
    }
    assert!(interrupted > 0, "no run was killed in time");
    assert!(start(&db).wait().unwrap().success());
    assert_eq!(view(&LocalStore::create(&db, &fixture.rules.profile).unwrap()), expected);
}
