//! Days added up, against a plain reading of the same packets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use inga::behavior::{BehaviorId, Names, Parameters, Probe, Profile};
use inga::capture::{Input, ReadOptions, load};
use inga::event::{AddressSpace, Packet};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{arg, inga};

#[path = "../bench/darknet.rs"]
mod darknet;

/// Slow enough that the packets span two days.
fn captures(folder: &Path, pieces: usize) -> Vec<PathBuf> {
    let mut whole = Vec::new();
    darknet::write(
        &mut whole,
        &darknet::Plan { packets: 120_000, sources: 3_000, rate: 1, prefix: 16, seed: 7 },
    )
    .unwrap();
    let (head, records) = whole.split_at(24);
    let mut starts = vec![0];
    while let Some(length) =
        records.get(starts[starts.len() - 1] + 8..).and_then(|rest| rest.first_chunk::<4>())
    {
        starts.push(starts[starts.len() - 1] + 16 + u32::from_le_bytes(*length) as usize);
    }
    let cut = |at: usize| starts[at * (starts.len() - 1) / pieces];
    (0..pieces)
        .map(|at| {
            let path = folder.join(format!("{at}.pcap"));
            std::fs::write(&path, [head, &records[cut(at)..cut(at + 1)]].concat()).unwrap();
            path
        })
        .collect()
}

/// A host's window: its first packet and how often each probe was seen, in order of first sight.
type Window = (Packet, Vec<(Probe, u64)>);

/// Windows by hash maps and lists, with nothing remembered.
fn windows(packets: &[Packet]) -> Vec<Window> {
    let mut open: HashMap<IpAddr, Window> = HashMap::new();
    let mut closed = Vec::new();
    for packet in packets {
        let over = |(first, _): &Window| packet.time.unwrap().0 - first.time.unwrap().0 >= 30_000_000_000;
        if open.get(&packet.source).is_some_and(over) {
            closed.extend(open.remove(&packet.source));
        }
        let (_, probes) = open.entry(packet.source).or_insert_with(|| (*packet, Vec::new()));
        let probe = Probe {
            destination: packet.destination,
            protocol: packet.protocol,
            flags: packet.flags,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        };
        match probes.iter_mut().find(|(known, _)| *known == probe) {
            Some((_, count)) => *count += 1,
            None => probes.push((probe, 1)),
        }
    }
    closed.extend(open.into_values());
    closed
}

#[derive(Default)]
struct Day {
    packets: u64,
    windows: u64,
    hosts: BTreeSet<IpAddr>,
    types: BTreeSet<BehaviorId>,
    sightings: BTreeSet<(IpAddr, BehaviorId)>,
}

fn plainly(packets: &[Packet]) -> Vec<Value> {
    let (profile, space) = (Profile::default(), AddressSpace::whole());
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    for (first, probes) in windows(packets) {
        let count = probes.iter().map(|(_, count)| count).sum();
        let of = probes.iter().map(|(probe, count)| (probe, *count));
        let names = Names::of(&Parameters::of(of, count, &space, &profile), &profile);
        let day = days.entry(first.time.unwrap().day(&TimeZone::UTC).to_string()).or_default();
        day.packets += count;
        day.windows += 1;
        day.hosts.insert(first.source);
        day.types.insert(names.behavior.id);
        day.sightings.insert((first.source, names.behavior.id));
    }
    days.into_iter()
        .map(|(day, of)| {
            json!({"day": day, "packets": of.packets, "windows": of.windows, "hosts": of.hosts.len(),
                   "types": of.types.len(), "sightings": of.sightings.len()})
        })
        .collect()
}

#[test]
fn a_summary_is_what_a_plain_reading_finds_however_the_capture_is_cut() {
    for pieces in [1, 5] {
        let folder = TempDir::new().unwrap();
        let paths = captures(folder.path(), pieces);
        let packets: Vec<Packet> = paths
            .iter()
            .flat_map(|path| load(&Input::Path(path.clone()), &ReadOptions::default()).unwrap().packets)
            .collect();
        let expected = plainly(&packets);
        assert!(expected.len() >= 2, "{expected:?}");
        let mut args = vec!["fingerprint", "--summary", "--format", "json"];
        args.extend(paths.iter().map(|path| arg(path)));
        assert_eq!(inga(&args).json(), expected, "{pieces} pieces");
    }
}

#[test]
fn a_history_of_the_same_packets_has_the_same_totals() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("history.db");
    let paths = captures(folder.path(), 3);
    let [four, six] = darknet::sensor(16);
    inga(&["sensor", "add", "I", "--db", arg(&db), "--prefix", &four, "--prefix", &six]);
    for path in &paths {
        assert_eq!(inga(&["observe", "--sensor", "I", "--db", arg(&db), arg(path)]).code, 0);
    }
    let question =
        "SELECT date(day * 86400, 'unixepoch') AS day, packets, windows, hosts, types FROM observed";
    let totals = inga(&["sql", "--db", arg(&db), "--format", "json", question]).json();
    let mut args = vec!["fingerprint", "--summary", "--format", "json"];
    args.extend(paths.iter().map(|path| arg(path)));
    let mut summed = inga(&args).json();
    for day in &mut summed {
        let sightings = day.as_object_mut().unwrap().remove("sightings");
        let unpacked = format!(
            "SELECT count(*) AS n FROM sightings WHERE facet = 0 AND day = '{}'",
            day["day"].as_str().unwrap()
        );
        let counted = inga(&["sql", "--db", arg(&db), "--format", "json", &unpacked]).json();
        assert_eq!(Some(&counted[0]["n"]), sightings.as_ref());
    }
    assert_eq!(totals, summed);
}
