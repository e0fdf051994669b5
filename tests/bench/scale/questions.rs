//! What inga and DuckDB are asked of the same segments, and what only inga answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use inga::history::{Filter, HostSet, TypeFilter};
use inga::store::{HistoryStore, LocalStore};

/// Types and hosts that are asked for, one by one.
const ASKED: usize = 20;

/// Some types by number, and some hosts.
pub(crate) struct Chosen {
    pub(crate) types: Vec<u64>,
    pub(crate) hosts: Vec<Ipv4Addr>,
}

impl Chosen {
    /// Chooses types and hosts at equal distances in the order of their rows, so that frequent ones are among them.
    pub(crate) fn of(store: &LocalStore) -> Chosen {
        let mut rows = Vec::new();
        for sensor in names(store) {
            store
                .each_sighting(&sensor, &Filter::default(), &mut |sighting| {
                    if let IpAddr::V4(host) = sighting.host {
                        rows.push((sighting.number, host));
                    }
                })
                .expect("sightings");
        }
        rows.sort_unstable();
        let step = (rows.len() / ASKED).max(1);
        let (types, hosts) = rows.into_iter().skip(step / 2).step_by(step).unzip();
        Chosen { types, hosts }
    }
}

fn names(store: &LocalStore) -> Vec<String> {
    store.sensors().expect("sensors").into_iter().map(|sensor| sensor.name).collect()
}

/// The answer to a question.
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    /// Median, in seconds; of a question about one of several types or hosts the time of one.
    pub(crate) seconds: f64,
    /// A sum of all that was answered, by which answers are compared.
    pub(crate) sum: u64,
}

impl Answer {
    /// Prints a row of a table.
    pub(crate) fn print_beside(&self, duck: Option<&Answer>) {
        let ours = self.seconds * 1e3;
        match duck {
            Some(duck) => {
                assert_eq!(self.sum, duck.sum, "{}: the answers differ", self.name);
                let ratio = self.seconds / duck.seconds;
                println!("| {} | {ours:.2} | {:.2} | {ratio:.3} |", self.name, duck.seconds * 1e3);
            }
            None => println!("| {} | {ours:.2} | not measured | |", self.name),
        }
    }
}

/// Asks a question several times, after once to warm up.
fn measure(name: &'static str, runs: usize, parts: usize, ask: &dyn Fn() -> u64) -> Answer {
    let sum = ask();
    let mut times = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        assert_eq!(ask(), sum, "{name}: two answers differ");
        times.push(began.elapsed().as_secs_f64() / crate::number(parts as u64));
    }
    times.sort_by(f64::total_cmp);
    Answer { name, seconds: times[runs / 2], sum }
}

/// Asks inga, in the order in which `duck` asks DuckDB.
pub(crate) fn ask(store: &LocalStore, chosen: &Chosen, runs: usize) -> Vec<Answer> {
    let sensors = names(store);
    let series = || {
        let mut sum = 0;
        for number in &chosen.types {
            let filter =
                Filter { types: TypeFilter::Numbers(std::slice::from_ref(number)), ..Filter::default() };
            for sensor in &sensors {
                let mut add = |count: &inga::history::DailyCount| {
                    sum += count.windows + count.packets + count.hosts;
                };
                store.each_daily_count(sensor, &filter, &mut add).expect("counts");
            }
        }
        sum
    };
    let hosts = || {
        let mut sum = 0;
        for host in &chosen.hosts {
            let filter = Filter { sources: Some(IpAddr::V4(*host).into()), ..Filter::default() };
            for sensor in &sensors {
                let mut add = |sighting: &inga::history::Sighting| {
                    sum += sighting.counts.windows + sighting.counts.packets;
                };
                store.each_sighting(sensor, &filter, &mut add).expect("sightings");
            }
        }
        sum
    };
    let kept = || -> u64 {
        let totals = sensors.iter().flat_map(|sensor| store.totals(sensor).expect("totals"));
        totals.map(|total| total.count.hosts).sum()
    };
    let counted = || -> u64 {
        let mut sum = 0;
        for sensor in &sensors {
            let mut days: BTreeMap<_, HostSet> = BTreeMap::new();
            let mut add = |sighting: &inga::history::Sighting| {
                days.entry(sighting.day).or_default().insert(sighting.host);
            };
            store.each_sighting(sensor, &Filter::default(), &mut add).expect("sightings");
            sum += days.values_mut().map(HostSet::count).sum::<u64>();
        }
        sum
    };
    vec![
        measure("a type's series over all sensors", runs, chosen.types.len(), &series),
        measure("one host's history", runs, chosen.hosts.len(), &hosts),
        measure("unique hosts of all days (inga keeps them)", runs, 1, &kept),
        measure("unique hosts of all days, counted from sightings", runs, 1, &counted),
    ]
}

/// Prints what whole processes take.
pub(crate) fn print_processes(history: &Path, chosen: &Chosen, runs: usize) {
    let history = history.to_str().expect("UTF-8");
    let host = chosen.hosts[0].to_string();
    let questions: [&[&str]; 5] = [
        &["series", "--filter", "445/tcp", "--value", "hosts", "--format", "csv"],
        &["series", "--value", "types", "--format", "csv"],
        &["types"],
        &["surges"],
        &["host", &host],
    ];
    for words in questions {
        let mut times = Vec::new();
        for _ in 0..runs {
            let began = Instant::now();
            let mut command = Command::new(env!("CARGO_BIN_EXE_inga"));
            let status = command.args(words).args(["--history", history]).stdout(Stdio::null()).status();
            assert!(status.expect("inga").code().is_some_and(|code| code <= 1), "{words:?}");
            times.push(began.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        println!("inga {}: {:.2} s", words.join(" "), times[runs / 2]);
    }
}
