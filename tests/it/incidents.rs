//! Incidents: what may happen to one and when, how both stores keep them, how they open, live and end, and what
//! the command line shows of them.

use inga::app::Notices;
use inga::app::incidents::{UpdatedIncident, has_unweighed_samples, update_incidents};
use inga::app::sandbox::LoadedSample;
use inga::app::simulate::{SimulateOptions, simulate_into};
use inga::behavior::{PacketsPerDestination, Parameters, Ports, ProtocolSet, SourcePortUse, Transition};
use inga::history::SurgeBehavior;
use inga::incident::{
    ChangeKind, EndReason, HealthCondition, Incident, IncidentEnd, IncidentError, IncidentSensor,
    IncidentState, IncidentTitle, SensorHealth,
};
use inga::packet::{Protocol, Timestamp};
use inga::rules::Rules;
use inga::simulate::Scenario;
use inga::store::{HistoryStore, IncidentStore, LocalStore, MemoryStore, StoreError};
use jiff::civil::date;
use tempfile::TempDir;

use crate::command::{arg, inga};

pub(crate) fn incident(number: u64) -> Incident {
    let parameters = Parameters {
        source_ports: 1,
        packets: 3,
        destination_ports: 1,
        destinations: 3,
        transition: Transition::Sequential,
        ports: Ports::Listed(vec![445].into()),
        protocol: ProtocolSet::default(),
        packets_per_destination: PacketsPerDestination::Exactly(1),
        source_port_use: SourcePortUse::None,
        ports_follow_destinations: false,
        ports_ephemeral: false,
    };
    Incident {
        number,
        revision: 0,
        title: IncidentTitle {
            behavior: SurgeBehavior::Service(Protocol::Tcp, 445),
            service: Some((Protocol::Tcp, 445)),
            parameters,
            labels: vec!["smb".to_owned()],
            types: 2,
        },
        patterns: Vec::new(),
        onset: date(2009, 3, 2),
        sensors: vec![IncidentSensor {
            sensor: "II".to_owned(),
            first: date(2009, 3, 2),
            last: date(2009, 3, 4),
            hosts: 612,
            peak: date(2009, 3, 3),
            peak_hosts: 300,
            expected: 12.5,
            q: 1e-9,
        }],
        opened: Timestamp(5),
        updated: Timestamp(5),
        ended: None,
        state: IncidentState::New,
        owner: None,
        causes: Vec::new(),
        unknown: Some(0.25),
        nothing: None,
        weighed: String::new(),
        suspects: 612,
        samples: Vec::new(),
        changes: Vec::new(),
    }
}

#[test]
fn an_incident_takes_only_changes_that_fit_its_course() {
    let mut one = incident(7);
    let apply = |one: &mut Incident, what: ChangeKind| one.apply(what, Timestamp(9), "kn");
    assert_eq!(apply(&mut one, ChangeKind::Opened), Ok(true));
    assert!(matches!(apply(&mut one, ChangeKind::Opened), Err(IncidentError::Course { .. })));
    // Nothing explains it before a sample is linked.
    let state = ChangeKind::State;
    assert_eq!(apply(&mut one, state(IncidentState::Explained)), Err(IncidentError::NoSample(7)));
    assert_eq!(apply(&mut one, ChangeKind::Sample("b".to_owned())), Ok(true));
    assert_eq!(apply(&mut one, ChangeKind::Sample("a".to_owned())), Ok(true));
    assert_eq!(apply(&mut one, ChangeKind::Sample("b".to_owned())), Ok(false));
    assert_eq!(apply(&mut one, state(IncidentState::Explained)), Ok(true));
    assert_eq!(apply(&mut one, state(IncidentState::Explained)), Ok(false));
    assert!(matches!(apply(&mut one, state(IncidentState::New)), Err(IncidentError::State { .. })));
    assert_eq!(apply(&mut one, state(IncidentState::Seen)), Ok(true));
    // Notes are neither empty nor endless.
    for text in ["", " \n", &"x".repeat(10_001)] {
        let refused = apply(&mut one, ChangeKind::Note(text.to_owned()));
        assert!(matches!(refused, Err(IncidentError::Length { .. })), "{refused:?}");
    }
    assert_eq!(apply(&mut one, ChangeKind::Note("asked the hoster".to_owned())), Ok(true));
    assert_eq!(apply(&mut one, ChangeKind::Owner(Some("kn".to_owned()))), Ok(true));
    assert_eq!(apply(&mut one, ChangeKind::Owner(Some("kn".to_owned()))), Ok(false));
    // It ends once, and what was closed is new again when the surge resumes.
    let end = IncidentEnd { day: date(2009, 3, 4), reason: EndReason::Calm };
    assert!(apply(&mut one, ChangeKind::Reopened(date(2009, 3, 9))).is_err());
    assert_eq!(apply(&mut one, ChangeKind::Ended(end)), Ok(true));
    assert!(apply(&mut one, ChangeKind::Ended(end)).is_err());
    assert_eq!(apply(&mut one, state(IncidentState::Closed)), Ok(true));
    assert!(matches!(apply(&mut one, state(IncidentState::Explained)), Err(IncidentError::State { .. })));
    assert_eq!(apply(&mut one, ChangeKind::Reopened(date(2009, 3, 9))), Ok(true));
    assert_eq!((one.state, one.ended), (IncidentState::New, None));
    assert_eq!((one.changes.len(), one.updated, one.samples.concat()), (10, Timestamp(9), "ab".to_owned()));
}

#[test]
fn both_stores_keep_incidents_and_lose_no_change() {
    let folder = TempDir::new().unwrap();
    let profile = Rules::shipped().unwrap().profile;
    let local = LocalStore::create(&folder.path().join("h"), &profile).unwrap();
    let stores: [Box<dyn HistoryStore>; 2] = [Box::new(MemoryStore::new()), Box::new(local)];
    for mut store in stores {
        assert_eq!(store.incidents().unwrap(), []);
        assert!(matches!(store.incident(1), Err(StoreError::UnknownIncident(1))));
        store.put_incidents(&[incident(1), incident(2)]).unwrap();
        let kept = store.incident(1).unwrap();
        assert_eq!(kept, Incident { revision: 1, ..incident(1) });

        // Two people change the same revision: the second one is told, and nothing of what it wrote is kept.
        let (mut mine, mut others) = (kept.clone(), kept);
        mine.apply(ChangeKind::Note("mine".to_owned()), Timestamp(6), "a").unwrap();
        others.apply(ChangeKind::Note("other".to_owned()), Timestamp(7), "b").unwrap();
        store.put_incidents(&[mine]).unwrap();
        let refused = store.put_incidents(&[incident(3), others]);
        assert!(matches!(refused, Err(StoreError::ConcurrentChange)), "{refused:?}");
        assert!(matches!(store.put_incidents(&[incident(2)]), Err(StoreError::ConcurrentChange)));
        let notes: Vec<usize> = store.incidents().unwrap().iter().map(|one| one.changes.len()).collect();
        assert_eq!(notes, [1, 0]);

        let mut health = SensorHealth {
            sensor: "II".to_owned(),
            at: Timestamp(8),
            last_packet: Some(Timestamp(7)),
            lag_seconds: Some(1.5),
            loss: None,
            packets: 3,
            open_windows: Some(2),
            segments: None,
            conditions: vec![HealthCondition::Silent],
            error: None,
        };
        store.put_sensor_healths(std::slice::from_ref(&health)).unwrap();
        health.conditions.clear();
        store.put_sensor_healths(std::slice::from_ref(&health)).unwrap();
        assert_eq!(store.sensor_healths().unwrap(), [health]);
    }
}

#[test]
fn a_changed_incident_is_found_and_an_older_catalog_has_none() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("h");
    let profile = Rules::shipped().unwrap().profile;
    let mut store = LocalStore::create(&path, &profile).unwrap();
    store.put_incidents(&[incident(1)]).unwrap();
    let faults = || {
        let mut faults = Vec::new();
        let store = LocalStore::open_to_read(&path, &profile).unwrap();
        store.verify(&mut |fault| faults.push(fault)).unwrap();
        faults
    };
    drop(store);
    assert_eq!(faults(), Vec::<String>::new());
    let catalog = rusqlite::Connection::open(path.join("catalog.sqlite")).unwrap();
    catalog.execute_batch("UPDATE incident SET incident = replace(incident, '612', '613')").unwrap();
    assert!(faults().concat().contains("table incident"), "{:?}", faults());

    // As a history of the first version of the catalog.
    let drops =
        ["incident", "health", "followed", "alert", "delivery"].map(|table| format!("DROP TABLE {table};"));
    catalog.execute_batch(&(drops.concat() + "PRAGMA user_version = 1")).unwrap();
    drop(catalog);
    assert_eq!(faults(), Vec::<String>::new());
    assert_eq!(LocalStore::open_to_read(&path, &profile).unwrap().incidents().unwrap(), []);
    let mut store = LocalStore::open_to_write(&path, &profile).unwrap();
    store.put_incidents(&[incident(1)]).unwrap();
    assert_eq!(store.incidents().unwrap().len(), 1);
}

const UNIFORM: &str = "{uniform: {}}";

/// A quiet telescope of two sensors, and a worm that begins on 10 February.
fn scenario(targets: &str, population: &str, last: &str) -> Scenario {
    let text = format!(
        "
title: A worm at two sensors
first: 2020-01-01
last: {last}
sensors:
  - {{name: north, kind: dark, prefixes: [198.18.0.0/20]}}
  - {{name: south, kind: subnet, prefixes: [203.0.113.0/24]}}
families:
  - name: knocker
    targets: {targets}
    probes: [{{protocol: TCP, ports: [2967], sends: [{{at: [0, 3]}}]}}]
    rate: 400
    population: {{{population}}}
    sample: {{caught: 2020-02-11, discovered: 2020-02-11, vendor: Acme, names: {{Acme: W32.Knocker}}}}
background:
  noise:
    - {{name: noise, per_address_day: 0.02, probes: [{{protocol: TCP, ports: [22, 23, 80], source_port: random}}]}}
"
    );
    Scenario::parse(&text).unwrap()
}

/// A history with what the sensors of a scenario saw, and the samples.
fn simulated(scenario: &Scenario, seed: u64) -> (LocalStore, Vec<LoadedSample>) {
    let rules = Rules::shipped().unwrap();
    let mut store = LocalStore::temporary(&rules.profile).unwrap();
    let options = SimulateOptions { seed, scale: 1.0, threads: 1 };
    let result = simulate_into(&mut store, scenario, options, &rules, &mut Notices::default()).unwrap();
    (store, result.samples)
}

fn update(store: &mut LocalStore, at: i64) -> Vec<UpdatedIncident> {
    update_incidents(store, &Rules::shipped().unwrap(), Timestamp(at)).unwrap()
}

#[test]
fn an_outbreak_at_two_sensors_is_one_incident() {
    let outbreak = scenario(UNIFORM, "growth: [{hosts: 60, from: 2020-02-10, days: 3}]", "2020-02-24");
    let (mut store, _) = simulated(&outbreak, 1);
    let opened = update(&mut store, 1);
    assert_eq!(opened.len(), 1, "{opened:#?}");
    let one = &opened[0].incident;
    assert_eq!(one.title.service, Some((Protocol::Tcp, 2967)), "{:?}", one.title);
    let sensors: Vec<&str> = one.sensors.iter().map(|row| row.sensor.as_str()).collect();
    assert_eq!(sensors, ["north", "south"]);
    for row in &one.sensors {
        assert!((date(2020, 2, 10)..=date(2020, 2, 14)).contains(&row.first), "{row:?}");
        assert!(row.hosts >= 40 && row.expected < 3.0, "{row:?}");
    }
    assert!(one.suspects >= one.hosts() && one.ended.is_none(), "{one:?}");
    assert!(one.causes.is_empty() && one.unknown > Some(0.5), "{one:?}");
    assert!(matches!(one.changes[0].what, ChangeKind::Opened));

    // Nothing new, nothing changed.
    assert_eq!(update(&mut store, 2), []);
}

#[test]
fn a_sample_that_is_imported_later_is_asked_of_all_history_and_linked() {
    let growth = "growth: [{hosts: 60, from: 2020-02-10, days: 3}]";
    let outbreak = scenario("{sequential: {block: 24, start: random}}", growth, "2020-02-24");
    let (mut store, samples) = simulated(&outbreak, 1);
    assert_eq!(update(&mut store, 1).len(), 1);
    for sample in &samples {
        store.put_sample(&sample.to_kept()).unwrap();
    }
    assert!(has_unweighed_samples(&store).unwrap());
    let weighed = update(&mut store, 3);
    assert_eq!(weighed.len(), 1, "{weighed:#?}");
    let one = &weighed[0].incident;
    let id = samples[0].profile.id.clone();
    let cause = &one.causes[0];
    assert_eq!((cause.verdict.as_str(), &cause.samples), ("likely", &vec![id.clone()]), "{one:#?}");
    assert!(cause.probability > 0.8 && one.unknown < Some(0.2), "{one:#?}");
    assert_eq!((one.samples.as_slice(), one.state), (&[id][..], IncidentState::New));
    assert!(weighed[0].new_changes().any(|what| matches!(what, ChangeKind::Cause { .. })));
    assert!(!has_unweighed_samples(&store).unwrap());
    assert_eq!(update(&mut store, 4), []);
}

#[test]
fn an_incident_ends_by_itself_and_resumes() {
    let population = "growth: [{hosts: 80, from: 2020-02-10}, {hosts: 120, from: 2020-02-26}], \
                      decay: {from: 2020-02-11, half_life_days: 1}";
    let part = |last: &str| simulated(&scenario(UNIFORM, population, last), 1).0;
    // The same history at four times: each is a part of the next one.
    let mut incidents = Vec::new();
    for (at, last) in (1..).zip(["2020-02-12", "2020-02-25", "2020-02-28", "2020-03-15"]) {
        let mut store = part(last);
        if !incidents.is_empty() {
            store.put_incidents(&fresh(&incidents)).unwrap();
        }
        update(&mut store, at);
        assert_eq!(update(&mut store, at + 100), [], "{last}");
        incidents = store.incidents().unwrap();
        let one = &incidents[0];
        assert_eq!(incidents.len(), 1, "{last}: {incidents:#?}");
        assert_eq!(one.ended.is_some(), at % 2 == 0, "{last}: {one:#?}");
    }
    let is_end = |what: &ChangeKind| matches!(what, ChangeKind::Ended(_));
    let is_resumption = |what: &ChangeKind| matches!(what, ChangeKind::Reopened(_));
    let count =
        |of: fn(&ChangeKind) -> bool| incidents[0].changes.iter().filter(|change| of(&change.what)).count();
    assert_eq!(
        (count(|what| matches!(what, ChangeKind::Opened)), count(is_end), count(is_resumption)),
        (1, 2, 1)
    );
}

/// Incidents as new ones of another store.
fn fresh(incidents: &[Incident]) -> Vec<Incident> {
    incidents.iter().map(|one| Incident { revision: 0, ..one.clone() }).collect()
}

#[test]
fn quiet_months_open_as_few_incidents_as_claimed() {
    // Ten telescopes for ten weeks each. A surge is reported by mistake with a probability of at most 0.013 for each
    // granularity and sensor.
    let quiet = scenario(UNIFORM, "growth: [{hosts: 30, from: 2020-01-01}]", "2020-03-10");
    let opened: usize = (1..=10).map(|seed| update(&mut simulated(&quiet, seed).0, 1).len()).sum();
    assert!(opened <= 2, "{opened} incidents in ten quiet telescopes");
}

#[test]
fn the_command_line_shows_incidents_and_records_what_operators_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("h");
    let profile = Rules::shipped().unwrap().profile;
    let mut hostile = incident(1);
    hostile.title.labels = vec!["\u{202e}evil\u{1b}[31m".to_owned()];
    hostile.apply(ChangeKind::Opened, Timestamp(5), "inga").unwrap();
    LocalStore::create(&path, &profile).unwrap().put_incidents(&[hostile, incident(2)]).unwrap();
    let call = |args: &[&str]| inga(&[&["incident"], args, &["--history", arg(&path)]].concat());
    let list = call(&["list"]);
    assert_eq!((list.code, list.stdout.lines().count()), (0, 3), "{}", list.stderr);
    assert!(
        list.stdout.contains("445/tcp") && list.stdout.contains("unknown scanner 25 %"),
        "{}",
        list.stdout
    );

    assert_eq!(call(&["seen", "1", "--by", "kn", "--owner", "kn"]).code, 0);
    assert_eq!(call(&["note", "1", "--by", "kn", "asked \u{1b}[2J them"]).code, 0);
    let refused = call(&["explain", "1"]);
    assert!((refused.code, refused.stderr.contains("--sample ID")) == (2, true), "{}", refused.stderr);
    assert!(call(&["explain", "1", "--sample", "ab"]).stderr.contains("inga sample list"));
    assert_eq!(call(&["close", "1", "--note", "over"]).code, 0);
    assert!(call(&["close", "3"]).stderr.contains("no incident 3"));
    let shown = call(&["show", "1"]);
    assert!(shown.stdout.contains("note: asked \\u{1b}[2J them"), "{}", shown.stdout);
    assert!(shown.stdout.contains("closed, owner kn"), "{}", shown.stdout);
    assert!(!shown.stdout.contains(['\u{1b}', '\u{202e}']), "{}", shown.stdout);
    let json = call(&["show", "1", "--format", "json"]).json().remove(0);
    assert_eq!(
        (&json["state"], &json["owner"], &json["service"]),
        (&"closed".into(), &"kn".into(), &"445/tcp".into())
    );
    assert_eq!(json["changes"].as_array().unwrap().len(), 6);
    assert_eq!(json["changes"][3]["what"]["note"], "asked \u{1b}[2J them");
    let numbers = |args: &[&str]| -> Vec<u64> {
        call(args).json().iter().map(|one| one["incident"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&["list", "--format", "json"]), [2]);
    assert_eq!(numbers(&["list", "--all", "--format", "json"]), [1, 2]);
    assert_eq!(numbers(&["list", "--state", "closed", "--format", "json"]), [1]);
}
