//! Sample A beneath the pandemic of the report's six months.
//!
//! At the scale at which a test has time for the pandemic, sample A is a handful of hosts. So the pandemic and all else
//! is made smaller than it was, and sample A and the older tool that sweeps as it does are as many to each other as in
//! the scenario that ships.

use inga::app::Notices;
use inga::app::correlate::correlate;
use inga::app::simulate::{SimulateOptions, simulate_into};
use inga::correlate::{Hypothesis, Verdict};
use inga::history::Granularity;
use inga::rules::Rules;
use inga::sample::BehaviorOrigin;
use inga::simulate::{Population, Scenario};
use inga::store::LocalStore;
use jiff::civil::date;
use tempfile::TempDir;

/// Of the hosts of the scenario so large a part.
const SCALE: f64 = 0.1;
/// Of everybody but sample A and the older sweeper so large a part of that.
const OTHERS: f64 = 0.02;
const SAMPLE_A: &str = "a2eaf57c47a118e91a5edf694685eee7";

fn six_months() -> Scenario {
    let text = std::fs::read_to_string("samples/scenarios/conficker-2009.yaml").unwrap();
    let mut scenario = Scenario::parse(&text).unwrap();
    let smaller = |population: &mut Population| {
        population.growth.iter_mut().for_each(|growth| growth.hosts *= OTHERS);
    };
    let families = scenario.families.iter_mut().chain(&mut scenario.background.scanners);
    for family in families.filter(|family| !["sample-a", "older-sweeper"].contains(&&*family.name)) {
        smaller(&mut family.population);
    }
    scenario.background.noise.iter_mut().for_each(|noise| noise.per_address_day *= OTHERS);
    scenario.background.floods.iter_mut().for_each(|floods| floods.per_day *= OTHERS);
    scenario
}

/// At this size the rise of sample A, by half of what was there before, is no larger than the drift of a population may
/// be. It is not claimed; and neither is anybody else who scans its port.
#[test]
fn sample_a_is_seen_at_both_sensors_and_nobody_else_on_its_port_is_likely() {
    let folder = TempDir::new().unwrap();
    let rules = Rules::shipped().unwrap();
    let mut store = LocalStore::create(&folder.path().join("history"), &rules.profile).unwrap();
    let options = SimulateOptions { seed: 1, scale: SCALE, threads: 2 };
    let made = simulate_into(&mut store, &six_months(), options, &rules, &mut Notices::default()).unwrap();
    assert_eq!(made.samples.len(), 5);
    let found = correlate(&made.samples, &store, &rules).unwrap();
    for sensor in ["I", "II"] {
        let one: &Hypothesis =
            found.iter().find(|one| one.sample == SAMPLE_A && one.sensor == sensor).unwrap();
        // By how it sweeps, not by its port: a whole window of its run is matched.
        let matched = one.matched.as_ref().unwrap();
        assert_eq!((one.granularity, matched.origin), (Some(Granularity::Type), BehaviorOrigin::Window));
        assert!(matched.behavior.canonical.contains("|tr=S|pt=445|"), "{:?}", matched.behavior);
        let scans_its_port = |other: &&Hypothesis| {
            other.matched.as_ref().is_some_and(|matched| matched.behavior.canonical.contains("|pt=445|"))
        };
        let others = found.iter().filter(|other| other.sample != SAMPLE_A && other.sensor == sensor);
        let others = others.filter(scans_its_port);
        for other in others.filter(|other| other.verdict == Verdict::Likely) {
            let began = other.evidence.as_ref().unwrap().rise.day;
            assert!(began < date(2009, 2, 25) || began > date(2009, 3, 15), "{began} {}", other.title);
        }
    }
}
