//! Histories that were observed elsewhere are joined.

use std::collections::BTreeMap;
use std::path::Path;

use inga::history::{Filter, JoinSummary, Sensor};
use inga::store::{HistoryStore, LocalStore};
use proptest::prelude::*;

use crate::command::{arg, inga};
use crate::taken_back::{Fixture, capture, sensor, view};

fn observed(fixture: &Fixture, name: &str, sensor: &Sensor, pieces: &[Vec<u8>]) {
    let mut store = fixture.local(name);
    store.add_sensor(sensor).unwrap();
    for piece in pieces {
        fixture.feed(&mut store, sensor, piece);
    }
}

fn join(fixture: &Fixture, names: &[&str], into: &str) -> Result<JoinSummary, String> {
    let paths: Vec<_> = names.iter().map(|name| fixture.path(name)).collect();
    let at = inga::packet::Timestamp(9);
    LocalStore::join(&paths, &fixture.path(into), &fixture.rules.profile, at)
        .map_err(|error| error.to_string())
}

/// Every segment's path and bytes.
fn segments(history: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(history).into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "parquet"))
        .map(|entry| {
            let path = entry.path().strip_prefix(history).unwrap().to_str().unwrap().to_owned();
            (path, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn is_whole(history: &Path) {
    let verified = inga(&["history", "verify", "--history", arg(history)]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[test]
fn histories_of_different_sensors_are_equal_to_one_of_both() {
    let fixture = Fixture::new();
    let pieces = [[capture(0..30, 0), capture(30..60, 0)], [capture(0..20, 3), capture(20..70, 3)]];
    observed(&fixture, "a", &sensor("II"), &pieces[0]);
    observed(&fixture, "b", &sensor("III"), &pieces[1]);
    for (name, pieces) in ["II", "III"].iter().zip(&pieces) {
        observed(&fixture, "both", &sensor(name), pieces);
    }
    let joined = join(&fixture, &["b", "a"], "c").unwrap();
    assert_eq!((joined.sensors, joined.captures, joined.seams.len()), (2, 4, 0));
    is_whole(&fixture.path("c"));
    for name in ["both", "c"] {
        fixture.local(name).compact(true).unwrap();
    }
    assert_eq!(segments(&fixture.path("c")), segments(&fixture.path("both")));
    assert!(segments(&fixture.path("c")).len() >= 4);
    for name in ["II", "III"] {
        let [one, both] = ["c", "both"].map(|history| fixture.local(history));
        assert_eq!(view(&one, name), view(&both, name));
        assert_eq!(one.engine_state(name).unwrap(), both.engine_state(name).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn periods_of_one_sensor_are_equal_to_one_history_but_for_windows_across_the_seam(
        first in 1u64..40, second in 1u64..40,
    ) {
        let fixture = Fixture::new();
        let pieces = [capture(0..first, 0), capture(first..first + second, 0)];
        observed(&fixture, "a", &sensor("II"), &pieces[..1]);
        observed(&fixture, "b", &sensor("II"), &pieces[1..]);
        observed(&fixture, "both", &sensor("II"), &pieces);
        let joined = join(&fixture, &["a", "b"], "c").unwrap();
        // The second capture's first packet comes from another host, 11 seconds after the last one of the sweep.
        prop_assert_eq!(joined.seams.len(), 1);
        prop_assert_eq!(joined.seams[0].cut_windows, 0);
        is_whole(&fixture.path("c"));
        let (one, both) = (fixture.local("c"), fixture.local("both"));
        prop_assert_eq!(view(&one, "II"), view(&both, "II"));
        prop_assert_eq!(one.engine_state("II").unwrap(), both.engine_state("II").unwrap());
        drop((one, both));
        // Observing goes on.
        let next = capture(first + second..first + second + 2, 0);
        for name in ["c", "both"] {
            fixture.feed(&mut fixture.local(name), &sensor("II"), &next);
            fixture.local(name).compact(true).unwrap();
        }
        prop_assert_eq!(segments(&fixture.path("c")), segments(&fixture.path("both")));
    }
}

#[test]
fn windows_across_a_seam_are_cut_and_counted() {
    use crate::make::packets::{Pcap, RAW_IP, tcp};
    let fixture = Fixture::new();
    let part = |seconds: std::ops::Range<u64>| {
        let mut pcap = Pcap::new(RAW_IP);
        for second in seconds {
            let to = [203, 0, 113, u8::try_from(1 + second).unwrap()].into();
            let time = 1_235_952_000_000_000 + second * 1_000_000;
            pcap.add(time, tcp(([100, 64, 0, 1].into(), 4000), (to, 23), "S", 1, b""));
        }
        pcap.bytes()
    };
    observed(&fixture, "a", &sensor("II"), &[part(0..10)]);
    observed(&fixture, "b", &sensor("II"), &[part(10..25)]);
    let joined = join(&fixture, &["b", "a"], "c").unwrap();
    assert_eq!(joined.seams.len(), 1);
    assert_eq!(joined.seams[0].cut_windows, 1);
    let mut sum = (0, 0);
    let add = &mut |one: &inga::history::Sighting| {
        sum = (sum.0 + one.counts.windows, sum.1 + one.counts.packets);
    };
    fixture.local("c").each_sighting("II", &Filter::default(), add).unwrap();
    assert_eq!(sum, (2, 25), "one window became two, and no packet was lost");
}

#[test]
fn overlaps_and_other_settings_are_refused_and_the_same_capture_is_taken_once() {
    let fixture = Fixture::new();
    let same = capture(10..20, 0);
    observed(&fixture, "a", &sensor("II"), &[capture(0..10, 0), same.clone()]);
    observed(&fixture, "b", &sensor("II"), &[same, capture(20..30, 0)]);
    observed(&fixture, "over", &sensor("II"), &[capture(5..9, 4)]);
    let mut other = sensor("II");
    other.time_zone = "Asia/Tokyo".to_owned();
    observed(&fixture, "other", &other, &[]);
    let (a, over, into) = (fixture.path("a"), fixture.path("over"), fixture.path("c"));
    let refused = inga(&["history", "merge", arg(&a), arg(&over), "--output", arg(&into)]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains(" s of recorded time in common"), "{}", refused.stderr);
    assert!(join(&fixture, &["a", "other"], "c").unwrap_err().contains("other settings"));
    assert!(!into.exists());
    assert_eq!(
        std::fs::read_dir(fixture.folder.path())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".inga") })
            .count(),
        0
    );
    let joined = join(&fixture, &["a", "b"], "c").unwrap();
    assert_eq!((joined.captures, joined.shared_captures.len()), (3, 1));
    is_whole(&into);
    let store = fixture.local("c");
    let packets: u64 = store.totals("II").unwrap().iter().map(|total| total.count.packets).sum();
    assert_eq!(packets, 30 * 6 + 3 * 20);
    // Windows that are open at the end of the capture that both have are closed by the next one.
    observed(&fixture, "all", &sensor("II"), &[capture(0..10, 0), capture(10..20, 0), capture(20..30, 0)]);
    assert_eq!(view(&store, "II"), view(&fixture.local("all"), "II"));
    assert!(joined.seams.is_empty());
    drop(store);
    observed(&fixture, "d", &sensor("II"), &[capture(10..20, 0), capture(40..50, 0)]);
    let twice = join(&fixture, &["b", "d"], "e").unwrap_err();
    assert!(twice.contains("others after it"), "{twice}");
    assert!(!fixture.path("e").exists());
    assert!(join(&fixture, &["a", "b"], "c").unwrap_err().contains("not empty"));
}

/// Two processes observe some months each at the same time, and their histories are joined: packets and hosts of every day are those of
/// one history that observed all months.
#[test]
fn two_processes_observe_half_each() {
    const MONTHS: [&str; 6] = ["2008-11", "2008-12", "2009-01", "2009-02", "2009-03", "2009-04"];
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| arg(&folder.path().join(name)).to_owned();
    let observe = |name: &str, months: &[&str]| {
        let history = path(name);
        let zone = ["--prefix", "203.0.113.0/24", "--time-zone", "Asia/Tokyo"];
        let added = inga(&[&["sensor", "add", "north", "--history", &history], &zone[..]].concat());
        assert_eq!(added.code, 0, "{}", added.stderr);
        let captures: Vec<String> =
            months.iter().map(|month| format!("samples/darknet/north/{month}.pcap.zst")).collect();
        let mut words = vec!["observe", "--sensor", "north", "--history", &history];
        words.extend(captures.iter().map(String::as_str));
        let fed = inga(&words);
        assert_eq!(fed.code, 0, "{}", fed.stderr);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| observe("first", &MONTHS[..3]));
        scope.spawn(|| observe("second", &MONTHS[3..]));
    });
    observe("one", &MONTHS);
    let joined = inga(&["history", "merge", &path("first"), &path("second"), "--output", &path("both")]);
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    // All but the number of windows, which are cut where one history ends: sensor, of, day, observed, packets, hosts.
    let days = |name: &str| -> Vec<Vec<String>> {
        let told = inga(&["series", "--history", &path(name), "--format", "csv"]).stdout;
        told.lines().map(|line| line.split(',').take(6).map(str::to_owned).collect()).collect()
    };
    assert!(days("one").len() > 150);
    assert_eq!(days("both"), days("one"));
    is_whole(&folder.path().join("both"));
}

#[test]
fn incidents_and_alerts_are_carried_and_renumbered_where_numbers_meet() {
    use inga::incident::{Alert, AlertKind, ChangeKind};
    use inga::packet::Timestamp;
    use inga::store::{AlertStore, IncidentStore};

    let fixture = Fixture::new();
    observed(&fixture, "a", &sensor("II"), &[capture(0..10, 0)]);
    observed(&fixture, "b", &sensor("III"), &[capture(0..10, 3)]);
    let (mut a, mut b) = (fixture.local("a"), fixture.local("b"));
    let opened = |number: u64, at: i64| {
        let mut one = crate::incidents::incident(number);
        one.apply(ChangeKind::Opened, Timestamp(at), "inga").unwrap();
        one
    };
    // The second history has a copy of the first incident, on which somebody went on to work, and one of its own.
    let mut copied = opened(1, 5);
    copied.apply(ChangeKind::Note("asked the hoster".to_owned()), Timestamp(6), "kn").unwrap();
    a.put_incidents(&[opened(1, 5), opened(2, 7)]).unwrap();
    b.put_incidents(&[copied, opened(2, 8)]).unwrap();
    let alert = |number: u64| Alert {
        key: format!("incident/{number}/opened"),
        kind: AlertKind::IncidentOpened,
        at: Timestamp(8),
        message: "opened".to_owned(),
        incident: Some(number),
        sensor: None,
        host: None,
        network: None,
    };
    b.raise_alerts(&[alert(2)], &["away".to_owned()]).unwrap();
    drop((a, b));
    let joined = join(&fixture, &["a", "b"], "c").unwrap();
    let renumbered: Vec<(u64, u64)> =
        joined.renumbered_incidents.iter().map(|one| (one.from, one.to)).collect();
    assert_eq!((joined.incidents, renumbered), (3, vec![(2, 3)]));
    is_whole(&fixture.path("c"));
    let mut c = fixture.local("c");
    let changes = |number: u64| c.incident(number).unwrap().changes;
    assert_eq!(changes(1).last().unwrap().what, ChangeKind::Note("asked the hoster".to_owned()));
    assert_eq!((changes(2).len(), changes(2)[0].at), (1, Timestamp(7)));
    let other = changes(3);
    assert_eq!((other[0].at, other[1].at, other.len()), (Timestamp(8), Timestamp(9), 2));
    let note = format!("{:?}", other[1].what);
    assert!(note.contains("this is incident 2 of the history ") && note.contains("/b"), "{note}");
    // What was raised is not raised again, and what was not sent is sent by whoever watches that history.
    assert_eq!(c.raise_alerts(&[alert(3)], &[]).unwrap(), []);
    assert_eq!(c.raise_alerts(&[alert(2)], &[]).unwrap().len(), 1);
    assert_eq!(c.deliveries().unwrap(), []);
    let (a, b, d) = (fixture.path("a"), fixture.path("b"), fixture.path("d"));
    let called = inga(&["history", "merge", arg(&a), arg(&b), "--output", arg(&d)]);
    assert!(called.stdout.contains("/b is incident 3 now\n"), "{}", called.stdout);
    assert!(called.stdout.contains("and 3 incidents joined\n"), "{}", called.stdout);
    // A third history has a later copy of the incident that is renumbered.
    observed(&fixture, "e", &sensor("IV"), &[capture(0..10, 5)]);
    let mut later = opened(2, 8);
    later.apply(ChangeKind::Note("went on".to_owned()), Timestamp(9), "kn").unwrap();
    fixture.local("e").put_incidents(&[later]).unwrap();
    let joined = join(&fixture, &["a", "b", "e"], "f").unwrap();
    assert_eq!((joined.incidents, joined.renumbered_incidents.len()), (3, 1));
    let changes = fixture.local("f").incident(3).unwrap().changes;
    assert!(changes.iter().any(|one| one.what == ChangeKind::Note("went on".to_owned())), "{changes:?}");
}
