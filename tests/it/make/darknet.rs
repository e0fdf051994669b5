//! The darknet that ships: two small sensors, 181 days, made so that the seed's sample has a history in it.
//!
//! All sources lie in 100.64.0.0/10, which no real host on the Internet has. From 2 March 2009 a small worm scans
//! like figure 8 below a larger one that knocks once to four times at single addresses on the same port; the rest is
//! what every darknet sees. One sensor loses eleven days, as the seed's sensor II does.

use std::net::Ipv4Addr;

use super::packets::{Pcap, RAW_IP, ping, tcp, udp};
use super::{Made, Random};

/// 2008-11-01 00:00:00 UTC in seconds.
const START: u64 = 1_225_497_600;
const DAY_MICROS: u64 = 86_400_000_000;
const SECOND: u64 = 1_000_000;
/// Days of November to April.
const MONTHS: [(&str, u64); 6] =
    [("2008-11", 30), ("2008-12", 31), ("2009-01", 31), ("2009-02", 28), ("2009-03", 31), ("2009-04", 30)];
/// Days since the start: 29 December, 2 March; and 27 February to 9 March.
const LARGE_WORM_FROM: u64 = 58;
const SMALL_WORM_FROM: u64 = 121;
const OUTAGE: std::ops::RangeInclusive<u64> = 118..=128;

struct Site {
    name: &'static str,
    network: [u8; 3],
    has_outage: bool,
}

const SITES: [Site; 2] = [
    Site { name: "north", network: [203, 0, 113], has_outage: false },
    Site { name: "south", network: [198, 51, 100], has_outage: true },
];

/// One capture a sensor and month.
pub(crate) fn all() -> Vec<Made> {
    let mut made = Vec::new();
    for (number, site) in SITES.iter().enumerate() {
        let mut random = Random(100 + number as u64);
        let mut day = 0;
        for (month, days) in MONTHS {
            let mut pcap = Pcap::new(RAW_IP);
            for day in day..day + days {
                if !(site.has_outage && OUTAGE.contains(&day)) {
                    Day { site, day, random: &mut random, pcap: &mut pcap }.fill();
                }
            }
            day += days;
            let bytes = zstd::encode_all(pcap.bytes().as_slice(), 19).unwrap();
            made.push(Made { path: format!("darknet/{}/{month}.pcap.zst", site.name), bytes });
        }
    }
    made
}

struct Day<'a> {
    site: &'a Site,
    day: u64,
    random: &'a mut Random,
    pcap: &'a mut Pcap,
}

impl Day<'_> {
    fn fill(&mut self) {
        self.small_worm();
        self.large_worm();
        for _ in 0..self.random.below(3) {
            self.single(22, &[0]);
        }
        for _ in 0..1 + self.random.below(3) {
            let (from, to, time) = (self.host(), self.dark(), self.time());
            self.pcap.add(time, udp((from, 1434), (to, 1434), &[4; 16]));
        }
        self.backscatter();
        if self.day % 6 == 2 {
            self.ping_sweep();
        }
    }

    fn host(&mut self) -> Ipv4Addr {
        let bits = u32::try_from(self.random.below(1 << 22)).unwrap();
        Ipv4Addr::from((100 << 24 | 64 << 16) + bits)
    }

    fn dark(&mut self) -> Ipv4Addr {
        let [a, b, c] = self.site.network;
        Ipv4Addr::new(a, b, c, u8::try_from(1 + self.random.below(254)).unwrap())
    }

    /// A time of this day that leaves a minute before midnight.
    fn time(&mut self) -> u64 {
        START * SECOND + self.day * DAY_MICROS + self.random.below(DAY_MICROS - 60 * SECOND)
    }

    /// Sweeps as figure 8: a run of neighbours, each from the next port. Before the small worm a tool did so now and
    /// then; with it hosts come in swings, on weekdays more than on Sundays.
    fn small_worm(&mut self) {
        let hosts = match self.day.checked_sub(SMALL_WORM_FROM) {
            None => u64::from(self.random.below(5) == 0),
            Some(age) => {
                let weekday = (age + 1) % 7;
                let growth = 2 + age.min(20) / 7;
                if weekday == 0 { self.random.below(2) } else { 1 + self.random.below(2 * growth) }
            }
        };
        for _ in 0..hosts {
            let (from, port, start) = (self.host(), self.random.port(), self.time());
            let first = 1 + self.random.below(220);
            let count = 18 + self.random.below(13);
            for at in 0..count.min(255 - first) {
                let [a, b, c] = self.site.network;
                let to = Ipv4Addr::new(a, b, c, u8::try_from(first + at).unwrap());
                let from = (from, port + u16::try_from(at).unwrap());
                self.pcap.add(start + at * 100_000, tcp(from, (to, 445), "S", 1, b""));
            }
        }
    }

    /// Knocks at one address of ours, retried up to three times: types 1 to 4 of the seed.
    fn large_worm(&mut self) {
        let hosts = match self.day.checked_sub(LARGE_WORM_FROM) {
            None => self.random.below(2),
            Some(age) => 2 + age.min(60) / 10 + self.random.below(3),
        };
        for _ in 0..hosts {
            match self.random.below(10) {
                0..=5 => self.single(445, &[0, 3]),
                6..=7 => self.single(445, &[0, 3, 9]),
                8 => self.single(445, &[0]),
                _ => self.single(445, &[0, 3, 9, 21]),
            }
        }
    }

    fn single(&mut self, service: u16, retries: &[u64]) {
        let (from, to, time) = ((self.host(), self.random.port()), (self.dark(), service), self.time());
        for retry in retries {
            self.pcap.add(time + retry * SECOND, tcp(from, to, "S", 1, b""));
        }
    }

    /// A flooded web server answers addresses of ours that it never heard from.
    fn backscatter(&mut self) {
        let (server, time) = (self.host(), self.time());
        for at in 0..self.random.below(5) {
            let to = (self.dark(), self.random.port());
            self.pcap.add(time + at * 700_000, tcp((server, 80), to, "SA", 1, b""));
        }
    }

    fn ping_sweep(&mut self) {
        let (from, time) = (self.host(), self.time());
        let [a, b, c] = self.site.network;
        for at in 0..20u8 {
            let to = Ipv4Addr::new(a, b, c, 1 + at);
            self.pcap.add(time + u64::from(at) * 50_000, ping(from, to, u16::from(at)));
        }
    }
}
