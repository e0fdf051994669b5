//! The scenarios that ship: each shows the difficulty that it is named for, and the report's six months what the
//! report shows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use inga::app::Notices;
use inga::app::simulate::{SimulateOptions, SimulationResult, simulate_into};
use inga::behavior::Parameters;
use inga::history::{DayState, DayTotal, FacetInclusion, Filter, TypeFilter};
use inga::rules::Rules;
use inga::simulate::{LogFormat, Scenario};
use inga::store::{HistoryStore, MemoryStore};
use jiff::civil::{Date, date};

use crate::command::{arg, inga};

/// A scenario's history, and what really happened.
struct Outbreak {
    store: MemoryStore,
    made: SimulationResult,
}

fn scenario(name: &str) -> Scenario {
    let text = std::fs::read_to_string(format!("samples/scenarios/{name}.yaml")).unwrap();
    Scenario::parse(&text).unwrap()
}

impl Outbreak {
    fn of(name: &str) -> Outbreak {
        Outbreak::scaled(&scenario(name), 1.0)
    }

    fn scaled(scenario: &Scenario, scale: f64) -> Outbreak {
        let mut store = MemoryStore::new();
        let options = SimulateOptions { seed: 1, scale, threads: 2 };
        let rules = Rules::shipped().unwrap();
        let made = simulate_into(&mut store, scenario, options, &rules, &mut Notices::default()).unwrap();
        Outbreak { store, made }
    }

    /// The hosts of each day that sent to a port, by whole windows.
    fn hosts(&self, sensor: &str, port: u16) -> BTreeMap<Date, BTreeSet<IpAddr>> {
        self.hosts_where(sensor, &|parameters| {
            let listed: Vec<u16> = parameters.ports.listed().to_vec();
            listed == [port]
        })
    }

    fn hosts_where(
        &self,
        sensor: &str,
        wanted: &dyn Fn(&Parameters) -> bool,
    ) -> BTreeMap<Date, BTreeSet<IpAddr>> {
        let mut days: BTreeMap<Date, BTreeSet<IpAddr>> = BTreeMap::new();
        let filter =
            Filter { types: TypeFilter::Predicate(wanted, FacetInclusion::Excluded), ..Filter::default() };
        self.store
            .each_sighting(sensor, &filter, &mut |sighting| {
                days.entry(sighting.day).or_default().insert(sighting.host);
            })
            .unwrap();
        days
    }

    fn windows_where(&self, sensor: &str, wanted: &dyn Fn(&Parameters) -> bool) -> BTreeMap<Date, u64> {
        let mut days = BTreeMap::new();
        let filter =
            Filter { types: TypeFilter::Predicate(wanted, FacetInclusion::Excluded), ..Filter::default() };
        self.store
            .each_sighting(sensor, &filter, &mut |sighting| {
                *days.entry(sighting.day).or_default() += sighting.counts.windows
            })
            .unwrap();
        days
    }

    fn totals(&self, sensor: &str) -> BTreeMap<Date, DayTotal> {
        self.store.totals(sensor).unwrap().into_iter().map(|total| (total.count.day, total)).collect()
    }

    fn by(&self, sensor: &str, actor: &str) -> u64 {
        self.made.truth.sensors[sensor].by.get(actor).copied().unwrap_or(0)
    }
}

/// The mean of a day's numbers over a span; a day without one is zero.
fn mean(first: Date, last: Date, of: impl Fn(Date) -> f64) -> f64 {
    let days: Vec<f64> =
        first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last).map(of).collect();
    days.iter().sum::<f64>() / days.len() as f64
}

fn mean_hosts(days: &BTreeMap<Date, BTreeSet<IpAddr>>, first: Date, last: Date) -> f64 {
    mean(first, last, |day| days.get(&day).map_or(0.0, |hosts| hosts.len() as f64))
}

#[test]
fn every_scenario_that_ships_is_read_and_its_samples_as_well() {
    let rules = Rules::shipped().unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir("samples/scenarios").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "sh") {
            continue;
        }
        let scenario = Scenario::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let short = Scenario { last: scenario.first, ..scenario };
        let options = SimulateOptions { seed: 3, scale: 0.0001, threads: 1 };
        let notices = &mut Notices::default();
        let made = simulate_into(&mut MemoryStore::new(), &short, options, &rules, notices).unwrap();
        let complaints: Vec<&str> = notices.iter().filter(|notice| notice.contains('×')).collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        assert!(!made.samples.is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 13, "{count} scenarios");
}

#[test]
fn two_families_have_the_same_types() {
    let found = Outbreak::of("two-families");
    let types = |family: &str| -> BTreeSet<String> {
        let sample =
            found.made.samples.iter().find(|sample| sample.path.to_string_lossy().contains(family)).unwrap();
        sample
            .profile
            .windows
            .iter()
            .map(|window| window.fingerprint.whole.names.shape.canonical.clone())
            .collect()
    };
    assert_eq!(types("elder"), types("younger"));
    let hosts = found.hosts("north", 445);
    let before = mean_hosts(&hosts, date(2020, 1, 15), date(2020, 2, 8));
    let after = mean_hosts(&hosts, date(2020, 2, 18), date(2020, 3, 10));
    assert!(before > 40.0 && after > 1.8 * before, "{before} and {after}");
}

#[test]
fn a_family_that_stays_at_home_is_seen_at_home_only() {
    let found = Outbreak::of("own-sixteen");
    assert!(found.by("north", "homebody") > 5_000, "{}", found.by("north", "homebody"));
    assert_eq!(found.by("south", "homebody"), 0);
    let inside: ipnet::IpNet = "198.18.128.0/17".parse().unwrap();
    let hosts = found.hosts("north", 135);
    assert!(
        hosts.values().flatten().all(|host| inside.contains(host)),
        "live hosts of the sensor's own network"
    );
}

#[test]
fn a_research_scanner_outweighs_the_family_on_its_date_and_is_marked() {
    let found = Outbreak::of("research-surge");
    let (family, research) = (found.by("north", "bystander"), found.by("north", "research"));
    let masscan = found.by("north", "somebody-with-masscan");
    assert!(research + masscan > 3 * family, "{research}, {masscan} and {family}");
    let totals = found.totals("north");
    assert!(totals[&date(2020, 2, 10)].count.packets > 10 * totals[&date(2020, 2, 9)].count.packets);
    let rules = Rules::shipped().unwrap();
    let mut marked: BTreeMap<String, u64> = BTreeMap::new();
    found
        .store
        .each_sighting("north", &Filter::default(), &mut |sighting| {
            for (bit, name) in rules.mark_names().iter().enumerate() {
                *marked.entry(name.clone()).or_default() +=
                    sighting.counts.packets * (sighting.counts.marks >> bit & 1);
            }
        })
        .unwrap();
    assert!(marked["zmap"] * 10 > research * 9, "{marked:?}");
    assert!(marked["masscan"] * 10 > masscan * 9, "{marked:?}");
    // The whole Internet in three days, twice at once: each dark address at least once.
    assert!(research >= 2 * 65_536, "{research}");
}

#[test]
fn an_outage_hides_the_onset_at_one_sensor() {
    let found = Outbreak::of("outage-at-onset");
    let coverage = found.store.coverage("north").unwrap();
    let totals = found.totals("north");
    for day in date(2020, 2, 8).series(jiff::Span::new().days(1)).take(7) {
        assert_eq!(coverage.state(day), DayState::Outage);
        assert!(!totals.contains_key(&day), "{day}");
    }
    let hosts = found.hosts("north", 3389);
    assert!(hosts.keys().all(|day| *day >= date(2020, 2, 15)));
    assert!(mean_hosts(&hosts, date(2020, 2, 16), date(2020, 3, 9)) > 50.0);
}

#[test]
fn a_sample_that_never_scans_is_nowhere() {
    let found = Outbreak::of("never-scans");
    assert_eq!((found.by("north", "silent"), found.by("south", "silent")), (0, 0));
    assert!(found.by("north", "loud") > 10_000);
    assert_eq!(found.made.truth.hosts["silent"].len(), 100);
    let silent = &found.made.samples[0].profile;
    assert!(silent.windows.is_empty() && silent.accesses.len() >= 4, "{silent:?}");
}

#[test]
fn a_slow_scan_is_in_order_and_never_two_targets_in_a_window() {
    let found = Outbreak::of("slow-scan");
    assert!(found.by("south", "patient") > 200);
    assert_eq!(found.by("north", "patient"), 0);
    let ours: BTreeSet<IpAddr> = found.made.truth.hosts["patient"].iter().map(|host| host.address).collect();
    let days = found.hosts_where("south", &|parameters| parameters.destinations > 1);
    assert!(days.values().flatten().all(|host| !ours.contains(host)));
    let office = found.hosts("south", 22).keys().all(|day| {
        let weekend = day.weekday().to_monday_zero_offset() >= 5;
        !weekend || !found.hosts("south", 22)[day].iter().any(|host| ours.contains(host))
    });
    assert!(office, "no host is on at a weekend");
}

#[test]
fn a_sample_caught_late_is_past_the_peak() {
    let found = Outbreak::of("caught-late");
    let hosts = found.hosts("north", 2967);
    let peak = mean_hosts(&hosts, date(2020, 1, 21), date(2020, 1, 27));
    let caught = mean_hosts(&hosts, date(2020, 2, 26), date(2020, 3, 4));
    assert!(caught < 0.55 * peak && caught > 0.2 * peak, "{peak} and {caught}");
}

#[test]
fn forty_hosts_with_new_addresses_look_like_hundreds() {
    let found = Outbreak::of("dhcp-churn");
    assert_eq!(found.made.truth.hosts["dialler"].len(), 40);
    let hosts = found.hosts("north", 1433);
    let all: BTreeSet<IpAddr> = hosts.values().flatten().copied().collect();
    assert!(all.len() > 800, "{} addresses", all.len());
    assert!(hosts.values().all(|day| day.len() <= 80), "two addresses a host and day at most");
    let told: BTreeSet<IpAddr> = found.made.truth.hosts["dialler"]
        .iter()
        .flat_map(|host| host.packets.values().flat_map(BTreeMap::keys))
        .copied()
        .collect();
    assert!(told.is_superset(&all), "the truth names every address");
}

#[test]
fn a_reinfection_wave_has_the_hosts_of_the_first() {
    let found = Outbreak::of("reinfection");
    let ours: BTreeSet<IpAddr> =
        found.made.truth.hosts["boomerang"].iter().map(|host| host.address).collect();
    let between = |first, last| -> BTreeSet<IpAddr> {
        let days = found.hosts("north", 445);
        days.range(first..=last)
            .flat_map(|(_, hosts)| hosts)
            .copied()
            .filter(|host| ours.contains(host))
            .collect()
    };
    let first = between(date(2020, 1, 16), date(2020, 1, 24));
    let calm = between(date(2020, 1, 27), date(2020, 2, 18));
    let second = between(date(2020, 2, 24), date(2020, 3, 10));
    assert!(
        first.len() > 90 && calm.len() < 20 && second.len() > 60,
        "{}, {}, {}",
        first.len(),
        calm.len(),
        second.len()
    );
    assert!(second.is_subset(&first));
}

#[test]
fn a_botnet_that_switches_ports_keeps_its_hosts() {
    let found = Outbreak::of("port-switch");
    let all = |port| -> BTreeSet<IpAddr> { found.hosts("north", port).into_values().flatten().collect() };
    let (old, new) = (all(23), all(2323));
    assert!(new.len() > 60, "{}", new.len());
    assert!(new.intersection(&old).count() * 10 > new.len() * 9);
    assert!(found.hosts("north", 2323).keys().all(|day| *day >= date(2020, 2, 14)));
    let telnet = found.hosts("north", 23);
    let before = mean_hosts(&telnet, date(2020, 1, 20), date(2020, 2, 12));
    let after = mean_hosts(&telnet, date(2020, 2, 18), date(2020, 3, 9));
    assert!(after < 0.5 * before, "{before} and {after}");
}

#[test]
fn a_worm_that_counts_backwards_meets_a_sensor_once_in_minutes() {
    let found = Outbreak::of("byte-reversed");
    assert!(found.by("north", "backwards") > 5_000);
    let sweeps = found.hosts_where("north", &|parameters| {
        parameters.ports.listed() == [1025] && parameters.destinations > 2
    });
    assert!(sweeps.is_empty(), "no window with a sweep in it");
}

#[test]
fn threads_and_two_ports_at_once_are_one_hosts_window() {
    let found = Outbreak::of("two-threads");
    assert!(found.by("north", "octopus") > 1_000 && found.by("north", "printer") > 10_000);
    let together = found.hosts_where("north", &|parameters| parameters.ports.listed() == [139, 445]);
    assert!(!together.is_empty());
    let answered =
        found.made.samples.iter().find(|sample| sample.path.to_string_lossy().contains("octopus")).unwrap();
    assert!(!answered.profile.windows.is_empty(), "an answered scan is a scan");
}

/// Above the ports of services.
const HIGH: u16 = 1_024;

fn is_445(parameters: &Parameters) -> bool {
    parameters.ports.listed() == [445]
}

/// The report's types 1 to 4 by their packets to one address.
fn knocks(packets: u64) -> impl Fn(&Parameters) -> bool {
    move |parameters| is_445(parameters) && parameters.packets == packets && parameters.destinations == 1
}

/// Two TCP packets or one of UDP to a high port of one address.
fn is_peer_search(parameters: &Parameters) -> bool {
    let high = matches!(parameters.ports.listed(), [port] if *port >= HIGH && *port != 1434);
    let tcp = parameters.protocol.to_string() == "TCP:S" && parameters.packets == 2;
    let udp = parameters.protocol.to_string() == "UDP" && parameters.packets == 1;
    high && parameters.destinations == 1 && (tcp || udp)
}

#[test]
fn the_reports_six_months_show_what_the_report_shows() {
    // A five-hundredth: 300 hosts of Conficker.B where the full size has 150,000.
    let mut plan = scenario("conficker-2009");
    // The sweeps have a test of their own.
    plan.families.retain(|family| family.name != "sample-a");
    plan.background.scanners.retain(|scanner| scanner.name != "older-sweeper" && scanner.name != "slammer");
    let found = Outbreak::scaled(&plan, 0.002);
    type_1_falls(&found);
    sensor_ii_grows(&found);
    kinds_jump_and_level(&found);
    the_followed_host_switches(&found);
    peers_are_asked_on_their_ports(&found);
}

/// Figure 5.
fn type_1_falls(found: &Outbreak) {
    for sensor in ["I", "III"] {
        let windows = found.windows_where(sensor, &knocks(2));
        let of = |day: Date| windows.get(&day).copied().unwrap_or(0) as f64;
        let before = mean(date(2009, 2, 18), date(2009, 3, 3), of);
        let after = mean(date(2009, 3, 7), date(2009, 3, 20), of);
        assert!(before > 0.5 && after < 0.45 * before, "{sensor}: {before} and {after}");
    }
    let windows = |packets| found.windows_where("I", &knocks(packets)).values().sum::<u64>();
    let types = [windows(2), windows(3), windows(1), windows(4)];
    assert!(types[0] > 5 * types[1] && types[3] < types[2], "{types:?}");
    // Sensor II has nothing of it before nor after: older worms only.
    let quiet = found.hosts_where("II", &is_445);
    assert!(mean_hosts(&quiet, date(2009, 1, 20), date(2009, 2, 20)) < 5.0);
}

/// Figure 3.
fn sensor_ii_grows(found: &Outbreak) {
    let totals = found.totals("II");
    let of = |day: Date| totals.get(&day).map_or(0.0, |total| total.count.hosts as f64);
    let before = mean(date(2009, 2, 13), date(2009, 2, 26), of);
    let peak = mean(date(2009, 3, 15), date(2009, 3, 21), of);
    assert!((15.0..60.0).contains(&(peak / before)), "{before} to {peak}");
    let only_445 = found.hosts_where("II", &is_445);
    let before = mean_hosts(&only_445, date(2009, 2, 1), date(2009, 2, 26));
    let after = mean_hosts(&only_445, date(2009, 3, 10), date(2009, 4, 4));
    assert!(after < 2.0 * before + 0.5, "{before} and {after}");
    assert!(!totals.contains_key(&date(2009, 3, 1)), "no data");
    let fewer = found.hosts_where("I", &is_445);
    let before = mean_hosts(&fewer, date(2009, 2, 20), date(2009, 3, 3));
    let after = mean_hosts(&fewer, date(2009, 3, 10), date(2009, 3, 31));
    assert!(after < 0.6 * before, "hosts on 445/TCP at I: {before} and {after}");
}

/// Figure 4.
fn kinds_jump_and_level(found: &Outbreak) {
    for sensor in ["I", "II"] {
        let totals = found.totals(sensor);
        let of = |day: Date| totals.get(&day).map_or(0.0, |total| total.types as f64);
        let november = mean(date(2008, 11, 8), date(2008, 12, 5), of);
        let january = mean(date(2008, 12, 20), date(2009, 2, 20), of);
        let march = mean(date(2009, 3, 18), date(2009, 3, 31), of);
        let april = mean(date(2009, 4, 10), date(2009, 4, 28), of);
        assert!(january > 1.5 * november, "{sensor}: {november}, {january}");
        assert!(march > 1.7 * january, "{sensor}: {january}, {march}");
        assert!((0.7..1.1).contains(&(april / march)), "{sensor}: {march}, {april}");
        // A five-hundredth of 150,000 and up to two thirds more: at full size many ports are sighting twice.
        assert!((200.0..500.0).contains(&march), "{sensor}: {march}");
    }
}

fn the_followed_host_switches(found: &Outbreak) {
    let host: IpAddr = "100.64.77.7".parse().unwrap();
    let days = |sensor: &str, wanted: &dyn Fn(&Parameters) -> bool| -> Vec<Date> {
        let all = found.hosts_where(sensor, wanted);
        all.into_iter().filter(|(_, hosts)| hosts.contains(&host)).map(|(day, _)| day).collect()
    };
    let knocked = days("I", &is_445);
    assert_eq!((knocked[0], knocked.len()), (date(2008, 11, 21), 4), "{knocked:?}");
    assert!(days("III", &is_445).iter().all(|day| knocked.contains(day)));
    assert_eq!(days("II", &is_445), []);
    let searched = days("I", &is_peer_search);
    assert!(searched[0] >= date(2009, 3, 7) && searched[0] <= date(2009, 3, 9), "{searched:?}");
    assert_eq!(days("II", &is_peer_search)[0], date(2009, 3, 10), "the day on which II is back");
    // Many do likewise, and many are new.
    let before: BTreeSet<IpAddr> = found.hosts_where("I", &is_445).into_values().flatten().collect();
    let after: BTreeSet<IpAddr> = found.hosts_where("II", &is_peer_search).into_values().flatten().collect();
    let switched = after.intersection(&before).count();
    assert!(switched > 50 && after.len() > 3 * switched, "{switched} of {}", after.len());
}

/// The published algorithm gives their ports.
fn peers_are_asked_on_their_ports(found: &Outbreak) {
    let rules = Rules::shipped().unwrap();
    let bit = rules.mark_names().iter().position(|name| name == "conficker-d-port").unwrap();
    let mut marked = 0;
    found
        .store
        .each_sighting("II", &Filter::default(), &mut |sighting| {
            marked += sighting.counts.packets * (sighting.counts.marks >> bit & 1);
        })
        .unwrap();
    let sent = found.by("II", "conficker-d");
    assert!(marked * 10 > sent * 9, "{marked} of {sent}");
}

/// Figure 11.
#[test]
fn type_4_a_grows_a_little_and_swings_harder() {
    let mut plan = scenario("conficker-2009");
    plan.families.retain(|family| family.name == "sample-a");
    plan.background.scanners.retain(|scanner| scanner.name == "older-sweeper");
    (plan.background.noise, plan.background.floods) = Default::default();
    plan.sensors.truncate(1);
    plan.first = date(2009, 1, 15);
    plan.last = date(2009, 4, 20);
    let found = Outbreak::scaled(&plan, 0.2);
    let windows = found.windows_where("I", &|parameters| is_445(parameters) && parameters.destinations > 16);
    let of = |day: Date| windows.get(&day).copied().unwrap_or(0) as f64;
    let spread = |first, last| {
        let level = mean(first, last, of);
        (level, mean(first, last, |day| (of(day) - level).powi(2)).sqrt())
    };
    let (before, quiet) = spread(date(2009, 1, 15), date(2009, 3, 1));
    let (after, wild) = spread(date(2009, 3, 2), date(2009, 4, 20));
    assert!((1.1..3.0).contains(&(after / before)), "{before} and {after}");
    assert!(wild > 1.3 * quiet, "{quiet} and {wild}");
    let sample = &found.made.samples[0];
    assert_eq!(sample.profile.id, "a2eaf57c47a118e91a5edf694685eee7");
    assert_eq!(sample.profile.windows.len(), 1);
    assert!(
        sample.profile.windows[0].fingerprint.whole.names.behavior.canonical.contains("di=17-32|tr=S|pt=445")
    );
}

#[test]
fn a_run_is_the_same_in_every_style_of_log() {
    let rules = Rules::shipped().unwrap();
    let mut plan = scenario("small-outbreak");
    plan.last = plan.first;
    let shapes = [LogFormat::Pcap, LogFormat::Tcpdump3, LogFormat::Tcpdump4].map(|format| {
        for family in &mut plan.families {
            family.sample.as_mut().unwrap().sandbox.format = format;
        }
        let options = SimulateOptions { seed: 5, scale: 1.0, threads: 1 };
        let made =
            simulate_into(&mut MemoryStore::new(), &plan, options, &rules, &mut Notices::default()).unwrap();
        let windows = made.samples.iter().flat_map(|sample| &sample.profile.windows);
        windows
            .map(|window| window.fingerprint.whole.names.behavior.canonical.clone())
            .collect::<Vec<String>>()
    });
    assert!(shapes[0].len() >= 4, "{shapes:?}");
    assert!(shapes.iter().all(|windows| *windows == shapes[0]), "{shapes:?}");
}

#[test]
fn a_v6_host_with_a_list_reaches_a_v6_sensor() {
    let text = "title: x\nfirst: 2020-01-01\nlast: 2020-01-01\nsensors: [{name: s, kind: dark, prefixes: ['2001:db8:5::/64', 198.18.0.0/24]}]\n\
                networks: [{name: six, prefix: '2001:db8:77::/64'}]\nfamilies:\n  - name: f\n    targets: {hit_list: {addresses: ['2001:db8:5::/120', 198.18.0.1]}}\n    \
                probes: [{protocol: ICMP}, {protocol: TCP, ports: [22]}, {protocol: UDP, ports: [53]}]\n    rate: 1\n    population: {growth: [{hosts: 3, from: 2019-12-01}]}\n";
    let found = Outbreak::scaled(&Scenario::parse(text).unwrap(), 1.0);
    let host = &found.made.truth.hosts["f"][0];
    assert!(host.address.is_ipv6() && host.packets["s"].keys().all(IpAddr::is_ipv6));
    // A day of one a second, but for the one that is IPv4.
    let packets = found.by("s", "f");
    assert!((255_000..259_200).contains(&packets), "{packets}");
}

#[test]
fn more_infections_than_memory_should_hold_are_refused() {
    let options = SimulateOptions { seed: 1, scale: 1e4, threads: 1 };
    let rules = Rules::shipped().unwrap();
    let notices = &mut Notices::default();
    let refused =
        simulate_into(&mut MemoryStore::new(), &scenario("conficker-2009"), options, &rules, notices);
    assert!(refused.unwrap_err().to_string().contains("smaller --scale"));
}

/// Conficker.D's ports are as many as there are; what they have in common is that each follows from its destination.
#[test]
fn a_surge_of_derived_ports_is_explained_by_the_sample_that_derives_them() {
    let folder = tempfile::TempDir::new().unwrap();
    let made = folder.path().join("made");
    let scenario = "samples/scenarios/conficker-2009.yaml";
    let (out, scale) = (arg(&made), "0.002");
    let simulated = inga(&["simulate", scenario, "--output", out, "--scale", scale, "--format", "sightings"]);
    assert_eq!(simulated.code, 0, "{}", simulated.stderr);
    let db = made.join("history");
    let reports: Vec<String> = ["conficker-a", "conficker-b", "conficker-d", "sample-a"]
        .map(|name| arg(&made.join("samples").join(name).join("report.yaml")).to_owned())
        .to_vec();
    for of in [None, Some("label:conficker-d-udp"), Some("label:conficker-d-tcp")] {
        let mut args = vec!["explain", "--history", arg(&db), "--sensor", "II", "--from", "2009-03-10"];
        args.extend(["--format", "json"]);
        args.extend(of.iter().flat_map(|of| ["--filter", *of]));
        args.extend(reports.iter().map(String::as_str));
        let explained = inga(&args);
        assert_eq!(explained.code, 0, "{}", explained.stderr);
        let told = explained.json().swap_remove(0);
        let first = &told["causes"][0];
        assert!(first["title"].as_str().unwrap().contains("Conficker.D"), "{of:?}: {told}");
        assert!(first["probability"].as_f64().unwrap() > 0.85, "{of:?}: {first}");
    }
    labels_of_a_malware_need_its_ports_and_its_dates(&db);
}

/// Before Conficker.D was found no host is labelled with it. Afterwards only hosts that probe its ports are, which are
/// most of the hosts that probe high ports in this scenario.
fn labels_of_a_malware_need_its_ports_and_its_dates(db: &Path) {
    let hosts = |label: &str, (first, last): (&str, &str)| -> u64 {
        let args = [
            "series",
            "--history",
            arg(db),
            "--sensor",
            "I",
            "--filter",
            label,
            "--from",
            first,
            "--to",
            last,
        ];
        let spans = inga(&[&args[..], &["--format", "json"]].concat()).json();
        spans.iter().filter_map(|span| span["hosts"].as_u64()).sum()
    };
    let [before, after] = [("2008-12-15", "2009-03-03"), ("2009-03-10", "2009-04-20")];
    for protocol in ["udp", "tcp"] {
        let seen = format!("label:high-port-probe-{protocol}");
        let named = format!("label:conficker-d-{protocol}");
        assert_eq!(hosts(&named, before), 0, "{protocol}");
        let (named, seen) = (hosts(&named, after), hosts(&seen, after));
        assert!(named * 10 > seen * 5 && named <= seen, "{protocol}: {named} of {seen}");
    }
    assert!(hosts("label:high-port-probe-udp", before) > 0, "others probe high ports, too");
}
