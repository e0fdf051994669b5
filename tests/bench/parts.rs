//! What a packet costs in each part: parsing, windows, types, names, transitions.
//!
//! Packets are those of the made darknet; each part is fed what the part before it hands on.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run stops")]

mod darknet;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use inga::behavior::{Engine, Marks, Names, OpenWindow, Parameters, Profile, Transition, Types, transition};
use inga::capture::{ReadOptions, read_source};
use inga::packet::{AddressSpace, Packet};

const PACKETS: u64 = 200_000;

fn main() {
    assert_eq!(packets().len() as u64, PACKETS, "every packet is read");
    divan::main();
}

fn pcap() -> Vec<u8> {
    let plan = darknet::Plan { packets: PACKETS, sources: 1_800_000, rate: 96, prefix: 16, seed: 1 };
    let mut bytes = Vec::new();
    darknet::write(&mut bytes, &plan).expect("memory takes all");
    bytes
}

fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    read_source(&pcap()[..], "made", &ReadOptions::default(), &mut |packet, _| packets.push(*packet))
        .expect("the capture is one");
    packets
}

fn space() -> AddressSpace {
    let prefixes = darknet::sensor(16).map(|prefix| prefix.parse().expect("a prefix"));
    AddressSpace::new(&prefixes, &[])
}

fn windows() -> Vec<OpenWindow> {
    let mut windows = Vec::new();
    let mut engine = Engine::new(Profile::default());
    let mut keep = |closed: &mut [OpenWindow]| windows.extend_from_slice(closed);
    for packet in packets() {
        engine.push(&packet, Marks::default(), &mut keep);
    }
    engine.finish(&mut keep);
    windows
}

#[divan::bench(sample_count = 20)]
fn parse(bencher: Bencher<'_, '_>) {
    let bytes = pcap();
    let counted = bencher.counter(ItemsCount::new(PACKETS)).counter(BytesCount::of_slice(&bytes));
    counted.bench(|| {
        let mut ports = 0;
        read_source(&bytes[..], "made", &ReadOptions::default(), &mut |packet, _| {
            ports += u64::from(packet.destination_port().unwrap_or(0));
        })
        .expect("the capture is one");
        ports
    });
}

#[divan::bench(sample_count = 20)]
fn window(bencher: Bencher<'_, '_>) {
    let packets = packets();
    bencher.counter(ItemsCount::new(PACKETS)).bench(|| {
        let mut closed = 0;
        let mut engine = Engine::new(Profile::default());
        for packet in &packets {
            engine.push(packet, Marks::default(), &mut |windows| {
                closed += windows.iter().map(|window| window.packets).sum::<u64>()
            });
        }
        engine.finish(&mut |windows| closed += windows.iter().map(|window| window.packets).sum::<u64>());
        closed
    });
}

/// Windows to numbers, as all use cases do it that count.
#[divan::bench(sample_count = 20)]
fn types(bencher: Bencher<'_, '_>) {
    let (windows, space) = (windows(), space());
    bencher.counter(ItemsCount::new(windows.len())).bench(|| {
        let mut types = Types::new(Profile::default(), space.clone());
        windows.iter().fold(0, |sum: u32, window| sum.wrapping_add(types.of_window(window)))
    });
}

fn parameters() -> Vec<Parameters> {
    let (profile, space) = (Profile::default(), space());
    let of = |window: &OpenWindow| Parameters::of(window.probes.iter(), window.packets, &space, &profile);
    windows().iter().map(of).collect()
}

/// Windows to parameters, nothing remembered.
#[divan::bench(sample_count = 20)]
fn reduce(bencher: Bencher<'_, '_>) {
    let (windows, space, profile) = (windows(), space(), Profile::default());
    bencher.counter(ItemsCount::new(windows.len())).bench(|| {
        let of = |window: &OpenWindow| Parameters::of(window.probes.iter(), window.packets, &space, &profile);
        windows.iter().map(of).fold(0, |sum, parameters| sum + parameters.destinations)
    });
}

/// Canonical strings and MD5s of type, shape and pattern.
#[divan::bench(sample_count = 20)]
fn names(bencher: Bencher<'_, '_>) {
    let (parameters, profile) = (parameters(), Profile::default());
    bencher.counter(ItemsCount::new(parameters.len())).bench(|| {
        let names = parameters.iter().map(|parameters| Names::of(parameters, &profile));
        names.fold(0, |sum, names| sum ^ names.pattern.id.0[0])
    });
}

const DESTINATIONS: [u32; 4] = [2, 10, 100, 1_000];

fn judged(bencher: Bencher<'_, '_>, destinations: &[u32]) {
    let ranks: Vec<u128> = destinations.iter().map(|place| (place & 0xffff).into()).collect();
    bencher.counter(ItemsCount::new(ranks.len())).bench(|| -> Transition {
        let ranks = divan::black_box(&ranks);
        transition(ranks, ranks.iter().map(|rank| rank >> 8))
    });
}

#[divan::bench(args = DESTINATIONS)]
fn transition_sequential(bencher: Bencher<'_, '_>, count: u32) {
    judged(bencher, &(0..count).collect::<Vec<u32>>());
}

#[divan::bench(args = DESTINATIONS)]
fn transition_random(bencher: Bencher<'_, '_>, count: u32) {
    judged(bencher, &(0..count).map(|at| at.wrapping_mul(2_654_435_761) >> 16).collect::<Vec<u32>>());
}
