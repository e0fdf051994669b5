//! Incidents: what may happen to one and when, how both stores keep them, how they open, live and end, and what
//! the command line shows of them.

use inga::behavior::{PacketsPerDestination, Parameters, Ports, ProtocolSet, SourcePortUse, Transition};
use inga::history::SurgeBehavior;
use inga::incident::{
    ChangeKind, EndReason, HealthCondition, Incident, IncidentEnd, IncidentError, IncidentSensor,
    IncidentState, IncidentTitle, SensorHealth,
};
use inga::packet::{Protocol, Timestamp};
use inga::rules::Rules;
use inga::store::{HistoryStore, IncidentStore, LocalStore, MemoryStore, StoreError};
use jiff::civil::date;
use tempfile::TempDir;

fn incident(number: u64) -> Incident {
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
