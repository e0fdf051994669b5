//! Sensors whose prefixes have dates, as `inga observe`, `sensor` and `correlate` meet them: what counts and how it is
//! ranked, what may be edited, and what goes when a sensor or an outage goes.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use inga::app::observe::observe;
use inga::app::{CaptureOptions, Notices};
use inga::capture::Input;
use inga::history::{
    DailyCount, DarkPeriods, DatedPrefix, EngineState, Filter, Outage, Sensor, SensorEdit, SensorKind,
};
use inga::rules::Rules;
use inga::store::{HistoryStore, MemoryStore, StoreError};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Called, arg, inga};
use crate::make::packets::{Pcap, RAW_IP, tcp};

/// 2024-06-20 00:00 UTC in seconds.
const START: u64 = 1_718_841_600;
const DAY: u64 = 86_400;
const FIRST: Date = date(2024, 6, 20);

/// A SYN of a host to an address, in a second after the start.
type Knock = (u64, u8, [u8; 4]);

fn capture(knocks: &[Knock]) -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    for (second, host, to) in knocks {
        let from = (Ipv4Addr::new(100, 64, 0, *host), 1025);
        pcap.add((START + second) * 1_000_000, tcp(from, (Ipv4Addr::from(*to), 445), "S", 1, b""));
    }
    pcap.bytes()
}

fn refused(called: &Called, words: &[&str]) {
    assert_eq!((called.code, called.stdout.as_str()), (2, ""), "{}", called.stderr);
    for word in words {
        assert!(called.stderr.contains(word), "`{word}` in {}", called.stderr);
    }
}

/// A history on disk, fed by the program.
struct History {
    folder: TempDir,
}

impl History {
    /// With a sensor T that watches these.
    fn of(prefixes: &[&str]) -> History {
        let history = History { folder: TempDir::new().unwrap() };
        history.done(&["sensor", "add", "T"], prefixes);
        history
    }

    fn path(&self, name: &str) -> String {
        arg(&self.folder.path().join(name)).to_owned()
    }

    fn call(&self, command: &[&str], more: &[&str]) -> Called {
        inga(&[command, more, &["--history", &self.path("h")]].concat())
    }

    fn done(&self, command: &[&str], more: &[&str]) -> String {
        let called = self.call(command, more);
        assert_eq!(called.code, 0, "{command:?} {more:?}: {}", called.stderr);
        called.stdout
    }

    fn feed(&self, knocks: &[Knock]) {
        let path = PathBuf::from(self.path("fed.pcap"));
        std::fs::write(&path, capture(knocks)).unwrap();
        self.done(&["observe", arg(&path), "--sensor", "T"], &[]);
    }

    /// Packets of the days from the first that is recorded to the last; `None` for a day without a value.
    fn days(&self) -> Vec<Option<u64>> {
        let series = self.done(&["series", "--sensor", "T", "--value", "packets", "--format", "csv"], &[]);
        series.lines().skip(1).map(|line| line.split(',').nth(4).and_then(|cell| cell.parse().ok())).collect()
    }

    fn listed(&self) -> Vec<Value> {
        let called = self.call(&["sensor", "list", "--format", "json"], &[]);
        called.json()
    }
}

#[test]
fn a_packet_counts_if_its_destination_was_dark_on_its_day() {
    let (old, new) = ([192, 0, 2, 9], [198, 51, 100, 9]);
    let moved = ["--prefix", "192.0.2.0/24", "--to", "2024-06-21"];
    let history = History::of(&moved);
    history.done(&["sensor", "edit", "T"], &["--add-prefix", "198.51.100.0/24", "--from", "2024-06-23"]);
    // One knock at each prefix at noon of five days, of which the third has nothing dark.
    let noon = |day: u64| [(day * DAY + DAY / 2, 1, old), (day * DAY + DAY / 2 + 60, 2, new)];
    history.feed(&(0..5).flat_map(noon).collect::<Vec<_>>());
    assert_eq!(history.days(), [Some(1), Some(1), None, Some(1), Some(1)]);
    let listed = &history.listed()[0];
    assert_eq!(
        (&listed["days"], &listed["first"], &listed["last"]),
        (&Value::from(4), &Value::from("2024-06-20"), &Value::from("2024-06-24"))
    );
    let sizes: Vec<u64> = listed["dark_periods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|period| period["dark_addresses"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [256, 0, 256]);
    let text = history.done(&["sensor", "list"], &[]);
    assert!(text.contains("192.0.2.0/24 (to 2024-06-21), 198.51.100.0/24 (from 2024-06-23)"), "{text}");
}

#[test]
fn destinations_are_ranked_by_what_was_dark_on_the_day() {
    // Up by one, but for a hole of twelve addresses: a sweep only where the hole is live.
    let sweep = |day: u64, host: u8| {
        (0..2u8).map(move |at| (day * DAY + 60 + u64::from(at), host, [192, 0, 2, 3 + 13 * at]))
    };
    let captures = [capture(&sweep(0, 1).chain(sweep(1, 2)).collect::<Vec<_>>())];
    let hole = ["192.0.2.4/30", "192.0.2.8/29"].map(|prefix| prefix.parse::<DatedPrefix>().unwrap());
    let dated = |from: Option<Date>, to: Option<Date>| Sensor {
        live: hole.iter().map(|live| DatedPrefix { from, to, ..live.clone() }).collect(),
        ..sensor(vec!["192.0.2.0/24".parse().unwrap()], "UTC")
    };
    let transitions = |sensor: &Sensor| -> Vec<(Date, String)> {
        let (counts, _, _) = observed(sensor, &captures);
        let transition =
            |name: String| name.split('|').find(|part| part.starts_with("tr=")).unwrap().to_owned();
        let mut days: Vec<_> =
            counts.into_iter().map(|(name, count)| (count.day, transition(name))).collect();
        days.sort();
        days
    };
    let second = FIRST.tomorrow().unwrap();
    let check = |from, to, expected: [&str; 2]| {
        let wanted = [(FIRST, expected[0].to_owned()), (second, expected[1].to_owned())];
        assert_eq!(transitions(&dated(from, to)), wanted, "{from:?} {to:?}");
    };
    check(None, None, ["tr=S", "tr=S"]);
    check(None, Some(FIRST), ["tr=S", "tr=R"]);
    check(Some(second), None, ["tr=R", "tr=S"]);
    check(Some(second.tomorrow().unwrap()), None, ["tr=R", "tr=R"]);
}

#[test]
fn the_past_is_not_edited() {
    let history = History::of(&["--prefix", "192.0.2.0/24"]);
    let edit = |more: &[&str]| history.call(&["sensor", "edit", "T"], more);
    // As long as nothing is recorded, anything may be.
    assert_eq!(edit(&["--add-prefix", "198.51.100.0/24"]).code, 0);
    assert_eq!(edit(&["--remove-prefix", "198.51.100.0/24"]).code, 0);
    history.feed(&[(60, 1, [192, 0, 2, 9]), (DAY + 60, 1, [192, 0, 2, 9])]);
    let before = history.listed();
    let drop = "inga history drop --sensor T --from 2024-06-20 --to 2024-06-21";
    let past = ["2024-06-20 to 2024-06-21", "begin on 2024-06-22", drop];
    for change in [
        &["--add-prefix", "198.51.100.0/24"][..],
        &["--add-prefix", "198.51.100.0/24", "--from", "2024-01-01"],
        &["--add-live", "192.0.2.0/25"],
        &["--add-prefix", "198.51.100.0/24", "--from", "2024-06-20", "--to", "2024-06-21"],
    ] {
        refused(&edit(change), &past);
    }
    refused(&edit(&["--end-prefix", "192.0.2.0/24", "--to", "2024-06-20"]), &["2024-06-21", "history drop"]);
    refused(&edit(&["--remove-prefix", "192.0.2.0/24"]), &["no dark address"]);
    refused(&edit(&["--end-prefix", "192.0.2.0/25", "--to", "2024-07-01"]), &["no prefix 192.0.2.0/25"]);
    refused(&edit(&["--end-prefix", "192.0.2.0/24"]), &["--to"]);
    refused(&edit(&["--kind", "mixed", "--to", "2024-07-01"]), &["--add-prefix"]);
    refused(&edit(&[]), &["required"]);
    let both = ["--add-prefix", "198.51.100.0/24", "--end-prefix", "192.0.2.0/24", "--to", "2024-07-01"];
    refused(&edit(&both), &["in another"]);
    let swapped = ["--add-prefix", "198.51.100.0/24", "--from", "2024-07-02", "--to", "2024-07-01"];
    refused(&edit(&swapped), &["lies after"]);
    assert_eq!(history.listed(), before, "nothing was changed");
    for change in [
        &["--kind", "mixed"][..],
        &["--end-prefix", "192.0.2.0/24", "--to", "2024-06-30"],
        &["--add-prefix", "198.51.100.0/24,203.0.113.0/24", "--from", "2024-06-22"],
        // Days before all captures hold nothing.
        &["--add-prefix", "198.51.100.0/24", "--to", "2024-06-19"],
    ] {
        let called = edit(change);
        assert_eq!(called.code, 0, "{change:?}: {}", called.stderr);
        assert!(called.stdout.starts_with("sensor T (mixed) watches 192.0.2.0/24"), "{}", called.stdout);
    }
    let prefixes = &history.listed()[0]["prefixes"];
    assert_eq!(prefixes.as_array().unwrap().len(), 4, "{prefixes}");
    assert_eq!(prefixes[0]["to"], "2024-06-30");
    history.feed(&[(2 * DAY + 60, 1, [203, 0, 113, 9])]);
    assert_eq!(history.days(), [Some(1), Some(1), Some(1)]);
}

#[test]
fn a_sensor_goes_with_all_of_it_if_it_is_meant_to() {
    let history = History::of(&["--prefix", "192.0.2.0/24"]);
    history.done(&["sensor", "add", "other"], &["--prefix", "192.0.2.0/24"]);
    let knocks = [(60, 1, [192, 0, 2, 9]), (DAY + 60, 1, [192, 0, 2, 9])];
    history.feed(&knocks);
    let remove = ["sensor", "remove", "T"];
    // Standard input is no terminal here.
    let what = ["sensor T", "2 recorded days from 2024-06-20 to 2024-06-21", "1 captures", "--yes"];
    refused(&history.call(&remove, &[]), &what);
    assert_eq!(history.days(), [Some(1), Some(1)]);
    assert!(history.done(&remove, &["--yes"]).contains("removed"));
    let names: Vec<Value> = history.listed().iter().map(|sensor| sensor["sensor"].clone()).collect();
    assert_eq!(names, ["other"]);
    refused(&history.call(&remove, &["--yes"]), &["no sensor `T`"]);
    // Its captures are new to a sensor of the same name.
    history.done(&["sensor", "add", "T"], &["--prefix", "192.0.2.0/24"]);
    history.feed(&knocks);
    assert_eq!(history.days(), [Some(1), Some(1)]);
}

#[test]
fn an_outage_is_taken_back() {
    let history = History::of(&["--prefix", "192.0.2.0/24"]);
    history.feed(&[(60, 1, [192, 0, 2, 9]), (DAY + 60, 1, [192, 0, 2, 9])]);
    let outage = |more: &[&str]| history.call(&["sensor", "outage", "T"], more);
    let days = ["--from", "2024-06-21", "--to", "2024-06-22"];
    assert_eq!(outage(&days).code, 0);
    assert_eq!(outage(&[&days[..], &["--reason", "moved"]].concat()).code, 0);
    assert_eq!(history.days()[..2], [Some(1), None]);
    let wrong = ["--from", "2024-06-21", "--to", "2024-06-21", "--remove"];
    refused(&outage(&wrong), &["exactly 2024-06-21..2024-06-21", "2024-06-21..2024-06-22 (data loss)"]);
    let called = outage(&[&days[..], &["--remove", "--reason", "moved"]].concat());
    assert!(called.stdout.contains("(moved) removed"), "{}", called.stdout);
    assert_eq!(history.days()[..2], [Some(1), None], "the other one is left");
    assert_eq!(outage(&[&days[..], &["--remove"]].concat()).code, 0);
    assert_eq!(history.days(), [Some(1), Some(1)]);
    refused(&outage(&[&days[..], &["--remove"]].concat()), &["it has none"]);
}

#[test]
fn sensors_yaml_has_both_forms() {
    let folder = TempDir::new().unwrap();
    let capture = capture(&[(60, 1, [192, 0, 2, 9]), (DAY + 60, 1, [198, 51, 100, 9])]);
    std::fs::create_dir(folder.path().join("T")).unwrap();
    std::fs::write(folder.path().join("T/a.pcap"), capture).unwrap();
    let read = |prefixes: &str| {
        let yaml = format!("sensors:\n  - name: T\n    kind: dark\n    prefixes: {prefixes}\n");
        std::fs::write(folder.path().join("sensors.yaml"), yaml).unwrap();
        let series = ["series", "--value", "packets", "--format", "csv", "--darknet", arg(folder.path())];
        inga(&series)
    };
    let packets = |prefixes: &str| -> Vec<String> {
        let called = read(prefixes);
        assert_eq!(called.code, 0, "{}", called.stderr);
        called.stdout.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().to_owned()).collect()
    };
    assert_eq!(packets("[192.0.2.0/24]"), ["1", "0"]);
    let dated = "[192.0.2.0/24, {prefix: 198.51.100.0/24, from: 2024-06-21, to: 2024-06-30}]";
    assert_eq!(packets(dated), ["1", "1"]);
    assert_eq!(packets("[192.0.2.0/24, {prefix: 198.51.100.0/24, to: 2024-06-20}]"), ["1", "0"]);
    for (prefixes, words) in [
        ("[{prefix: 192.0.2.0/24, from: 2024-06-21, to: 2024-06-20}]", ["sensors.yaml:2", "exchange"]),
        ("[192.0.2.0/24, {prefix: 192.0.2.0/24, from: 2024-06-21}]", ["sensors.yaml:2", "twice"]),
        ("[{prefix: 192.0.2.0/24, form: 2024-06-21}]", ["sensors.yaml:", "from"]),
        ("[192.0.2.0/99]", ["sensors.yaml:", "192.0.2.0/99"]),
    ] {
        refused(&read(prefixes), &words);
    }
}

fn sensor(prefixes: Vec<DatedPrefix>, zone: &str) -> Sensor {
    let name = "T".to_owned();
    Sensor { name, kind: SensorKind::Dark, prefixes, live: vec![], time_zone: zone.to_owned() }
}

/// What a history in memory has of some captures: daily counts with their types' names, and where its engine stopped.
fn observed(sensor: &Sensor, captures: &[Vec<u8>]) -> (Vec<(String, DailyCount)>, Vec<Date>, EngineState) {
    let (mut store, rules) = (MemoryStore::new(), Rules::shipped().unwrap());
    store.add_sensor(sensor).unwrap();
    let folder = TempDir::new().unwrap();
    for (at, capture) in captures.iter().enumerate() {
        let path = folder.path().join(format!("{at}.pcap"));
        std::fs::write(&path, capture).unwrap();
        let options = CaptureOptions::default();
        observe(&mut store, sensor, &Input::Path(path), &options, &rules, &mut Notices::default()).unwrap();
    }
    let mut counts = Vec::new();
    store.each_daily_count("T", &Filter::default(), &mut |count| counts.push(*count)).unwrap();
    let name = |number: u64| store.type_record(number).unwrap().behavior.canonical;
    let counts = counts.into_iter().map(|count| (name(count.number), count)).collect();
    (
        counts,
        store.coverage("T").unwrap().recorded_days.into_iter().collect(),
        store.engine_state("T").unwrap(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Dates that together cover all days change nothing, wherever they are cut, in whatever time zone.
    #[test]
    fn dates_that_cover_all_days_are_no_dates(
        knocks in proptest::collection::vec((0..3 * DAY, 0..4u8, 0..40u8), 1..60),
        cuts in proptest::collection::btree_set(0..5i64, 1..3),
        zone in proptest::sample::select(vec!["UTC", "Asia/Tokyo", "America/New_York"]),
    ) {
        let mut knocks: Vec<Knock> =
            knocks.into_iter().map(|(second, host, to)| (second, host, [192, 0, 2, to])).collect();
        knocks.sort_unstable();
        let (one, other) = knocks.split_at(knocks.len() / 2);
        let captures = [capture(one), capture(other)];
        let whole = "192.0.2.0/24".parse::<DatedPrefix>().unwrap();
        let mut dated = Vec::new();
        let mut from = None;
        for days in cuts {
            let begin = FIRST.checked_add(jiff::Span::new().days(days - 1)).unwrap();
            dated.push(DatedPrefix { from, to: begin.yesterday().ok(), ..whole.clone() });
            from = Some(begin);
        }
        dated.push(DatedPrefix { from, to: None, ..whole.clone() });
        let (plain, dated) = (sensor(vec![whole], zone), sensor(dated, zone));
        prop_assert_eq!(dated.validate(), Ok(()));
        let periods: DarkPeriods = dated.dark_periods();
        prop_assert_eq!(periods.all().len(), 1);
        prop_assert_eq!(observed(&plain, &captures), observed(&dated, &captures));
    }
}

#[test]
fn the_reference_store_refuses_what_it_must() {
    let mut store = MemoryStore::new();
    let known = sensor(vec!["192.0.2.0/24".parse().unwrap()], "UTC");
    store.add_sensor(&known).unwrap();
    let renamed = Sensor { name: "U".to_owned(), ..known.clone() };
    assert!(matches!(store.edit_sensor("T", &renamed), Err(StoreError::NotEditable { .. })));
    let moved = Sensor { time_zone: "Asia/Tokyo".to_owned(), ..known.clone() };
    store.edit_sensor("T", &moved).unwrap();
    store.edit_sensor("T", &known).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, capture(&[(60, 1, [192, 0, 2, 9])])).unwrap();
    let (options, rules) = (CaptureOptions::default(), Rules::shipped().unwrap());
    observe(&mut store, &known, &Input::Path(path), &options, &rules, &mut Notices::default()).unwrap();
    let message = store.edit_sensor("T", &moved).unwrap_err().to_string();
    assert!(message.contains("time zone UTC"), "{message}");
    let edit = |prefix: &str, from: Option<Date>| {
        let prefix = DatedPrefix { from, ..prefix.parse().unwrap() };
        let mut edit = SensorEdit::default();
        edit.dark.add.push(prefix);
        edit.apply(&known).unwrap()
    };
    let past = store.edit_sensor("T", &edit("198.51.100.0/24", None));
    assert!(matches!(past, Err(StoreError::PastChanged { .. })), "{past:?}");
    assert_eq!(store.sensors().unwrap(), std::slice::from_ref(&known));
    // An address that was dark anyway.
    store.edit_sensor("T", &edit("192.0.2.0/25", None)).unwrap();
    let outage = Outage { first: FIRST, last: FIRST, reason: "x".to_owned() };
    store.add_outage("T", &outage).unwrap();
    assert!(!store.remove_outage("T", &Outage { reason: String::new(), ..outage.clone() }).unwrap());
    assert!(store.remove_outage("T", &outage).unwrap());
    assert!(!store.remove_outage("T", &outage).unwrap());
    store.remove_sensor("T").unwrap();
    assert_eq!(store.sensors().unwrap(), []);
    for result in [store.remove_sensor("T"), store.edit_sensor("T", &known), store.add_outage("T", &outage)] {
        assert!(matches!(result, Err(StoreError::UnknownSensor(_))));
    }
}
