//! The report's finding out of the report's six months: sample A is a likely cause of the sweeps from March on.
//!
//! At the scale at which a test has time for the pandemic, sample A is a handful of hosts. So the pandemic and all else
//! is made smaller than it was, and sample A and the older tool that sweeps as it does are as many to each other as in
//! the scenario that ships. That is no help for sample A but in its number: what it competes with, sweeps likewise.

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

#[test]
fn sample_a_is_a_likely_cause_of_what_began_in_march_and_not_by_its_port() {
    let folder = TempDir::new().unwrap();
    let rules = Rules::shipped().unwrap();
    let mut store = LocalStore::create(&folder.path().join("history"), &rules.profile).unwrap();
    let options = SimulateOptions { seed: 1, scale: SCALE, threads: 2 };
    let made = simulate_into(&mut store, &six_months(), options, &rules, &mut Notices::default()).unwrap();
    assert_eq!(made.samples.len(), 5);
    let found = correlate(&made.samples, &store, &rules).unwrap();
    let best = |sensor: &str| -> &Hypothesis {
        found.iter().find(|one| one.sample == SAMPLE_A && one.sensor == sensor).unwrap()
    };
    let days_off = |one: &Hypothesis, day| {
        let began = one.evidence.as_ref().unwrap().rise.day;
        date(2009, 3, day).until(began).unwrap().get_days().abs()
    };
    for sensor in ["I", "II"] {
        let one = best(sensor);
        assert_eq!(one.verdict, Verdict::Likely, "{sensor}: {:#?}", one.reasons);
        // By how it sweeps, not by its port: a whole window of its run is matched, and none of the
        // others that scan 445/TCP is likely.
        let matched = one.matched.as_ref().unwrap();
        assert_eq!((one.granularity, matched.origin), (Some(Granularity::Type), BehaviorOrigin::Window));
        assert!(matched.behavior.canonical.contains("|tr=S|pt=445|"), "{:?}", matched.behavior);
        let began = one.evidence.as_ref().unwrap().rise.day;
        let others = found.iter().filter(|other| other.sample != SAMPLE_A && other.sensor == sensor);
        for other in others.filter(|other| other.verdict == Verdict::Likely) {
            let ports = other.matched.as_ref().map(|matched| &matched.behavior.canonical);
            assert!(!ports.unwrap().contains("|pt=445|"), "{began} {ports:?}");
        }
    }
    assert!(days_off(best("I"), 2) <= 5, "{:#?}", best("I").reasons);
    // Sensor II saw nothing from 27 February to 9 March; what began meanwhile shows on the first day after.
    assert_eq!(days_off(best("II"), 10), 0, "{:#?}", best("II").reasons);
}
