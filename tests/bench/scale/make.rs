//! Makes the history: a capture a sensor and day, fed as any capture is.
//!
//! A fifth of the windows have one of the few hundred commonest types (SYNs with retries, by rank), the rest any of 1.6
//! million (a packet with some flags to some port). Hosts are of three million, heavy-tailed: a host's rank is the cube
//! of a uniform number.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use inga::app::observe::observe;
use inga::app::{CaptureOptions, Notices};
use inga::capture::Input;
use inga::history::{Sensor, SensorKind};
use inga::rules::Rules;
use inga::store::{HistoryStore, SqliteStore};
use jiff::civil::{Date, date};

pub(crate) const SENSORS: u8 = 3;
const FIRST: Date = date(2008, 11, 1);
/// The same in seconds since 1970.
const START: u64 = 1_225_497_600;
const HOSTS: u64 = 3_000_000;
/// Combinations of flags that rare types have, to each of the ports.
const FLAGS: u64 = 25;
/// Common types.
const COMMON: u64 = 300;

pub(crate) fn name(sensor: u8) -> String {
    ["I", "II", "III"][usize::from(sensor)].to_owned()
}

/// Days since the first.
pub(crate) fn day_number(day: Date) -> u16 {
    u16::try_from(FIRST.duration_until(day).as_hours() / 24).expect("a day after the first")
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Below `end`, low numbers far more often.
    fn rank(&mut self, end: u64) -> u64 {
        // The cube of a fraction of 2^20.
        let part = self.next() >> 44;
        let cube = u128::from(part) * u128::from(part) * u128::from(part);
        u64::try_from((cube * u128::from(end)) >> 60).unwrap_or(0)
    }
}

pub(crate) fn history(db: &Path, days: u16, windows: u32, rules: &Rules) {
    let mut store = SqliteStore::open(db, &rules.profile).expect("a new history");
    let capture = db.with_extension("pcap");
    let began = Instant::now();
    for sensor in 0..SENSORS {
        let prefix = format!("198.{}.0.0/16", 18 + u16::from(sensor));
        let sensor = Sensor {
            name: name(sensor),
            kind: SensorKind::Dark,
            prefixes: vec![prefix.parse().expect("a prefix")],
            live: Vec::new(),
            time_zone: "UTC".to_owned(),
        };
        store.add_sensor(&sensor).expect("a new sensor");
    }
    for day in 0..days {
        for (at, sensor) in (0..).zip(store.sensors().expect("sensors")) {
            write_day(&capture, at, day, windows);
            let (input, options) = (Input::Path(capture.clone()), CaptureOptions::default());
            observe(&mut store, &sensor, &input, &options, rules, &mut Notices::default())
                .expect("a capture");
        }
    }
    std::fs::remove_file(&capture).expect("the capture");
    println!("{days} days of {SENSORS} sensors fed in {:.1} s", began.elapsed().as_secs_f64());
}

/// The address of a host. An odd factor: every rank has one of its own, all over the space.
pub(crate) fn host(rank: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(rank.wrapping_mul(0x9e37_79b1))
}

/// A packet: when, from whom, to which address and port, with which flags.
type Packet = (u64, u32, u16, u16, u8);

fn write_day(path: &Path, sensor: u8, day: u16, windows: u32) {
    let mut random = Random(u64::from(day) << 8 | u64::from(sensor));
    let midnight = START + u64::from(day) * 86_400;
    let mut packets: Vec<Packet> = Vec::new();
    for _ in 0..windows {
        let micros = (midnight * 1_000_000) + random.below(86_390_000_000);
        let host = host(random.rank(HOSTS) as u32).to_bits();
        let to = random.below(65_536) as u16;
        if random.below(5) == 0 {
            let common = random.rank(COMMON);
            let port = [445, 23, 1433, 3389, 22, 135][usize::try_from(common % 6).unwrap_or(0)]
                + (common / 6) as u16;
            for retry in 0..=common % 3 {
                packets.push((micros + retry * 3_000_000, host, to, port, 2));
            }
        } else {
            let rare = random.below(65_536 * FLAGS);
            packets.push((micros, host, to, (rare % 65_536) as u16, (rare / 65_536) as u8 + 3));
        }
    }
    packets.sort_unstable();
    let mut out = BufWriter::new(File::create(path).expect("a capture"));
    out.write_all(&header()).expect("a disk with room");
    for packet in &packets {
        out.write_all(&record(sensor, packet)).expect("a disk with room");
    }
    out.flush().expect("a disk with room");
}

/// A pcap of raw IP, times in microseconds.
fn header() -> [u8; 24] {
    let mut header = [0; 24];
    header[..4].copy_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
    header[4] = 2;
    header[6] = 4;
    header[16..18].copy_from_slice(&[0xff, 0xff]);
    header[20] = 101;
    header
}

fn record(sensor: u8, (micros, host, to, port, flags): &Packet) -> [u8; 56] {
    let mut record = [0; 56];
    record[..4].copy_from_slice(&((micros / 1_000_000) as u32).to_le_bytes());
    record[4..8].copy_from_slice(&((micros % 1_000_000) as u32).to_le_bytes());
    record[8] = 40;
    record[12] = 40;
    let ip = &mut record[16..];
    ip[0] = 0x45;
    ip[3] = 40;
    ip[8] = 64;
    ip[9] = 6;
    ip[12..16].copy_from_slice(&host.to_be_bytes());
    ip[16..18].copy_from_slice(&[198, 18 + sensor]);
    ip[18..20].copy_from_slice(&to.to_be_bytes());
    ip[20..22].copy_from_slice(&4_000_u16.to_be_bytes());
    ip[22..24].copy_from_slice(&port.to_be_bytes());
    ip[24..28].copy_from_slice(&host.to_be_bytes());
    ip[32] = 0x50;
    ip[33] = *flags;
    record
}
