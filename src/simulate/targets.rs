//! Which of a host's targets lie in the dark. Targets elsewhere are never made: of a scan at random the hits are drawn
//! by the binomial law, of a scan in order they are worked out.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use rand::RngExt;

use super::dark::{Dark, low};
use super::random::{Random, Seed, binomial};
use super::scenario::{HitList, Sequential, Start, Targets, Uniform};
use super::tour::Tour;

/// A host at work: what its targets depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    /// Its address; its own networks follow from it.
    pub(super) address: IpAddr,
    /// Its seed, the same on every day and at every sensor.
    pub(super) seed: Seed,
    /// Where the draws of this day and sensor begin.
    pub(super) draws: Seed,
}

/// Takes a target's number (how many the host had before) and its address.
pub(super) type Sink<'a> = &'a mut dyn FnMut(u64, IpAddr);

/// A family's targets as far as they lie in one sensor's dark.
#[derive(Clone, Debug)]
pub(super) enum Targeting {
    Uniform { plan: Uniform, eligible: u64, domain: f64 },
    Blocks { plan: Sequential, blocks: Vec<u32> },
    Tour { tour: Tour, threads: u64 },
    List { inside: Vec<(u64, IpAddr)>, length: u64, passes: Option<u64> },
    None,
}

impl Targeting {
    pub(super) fn new(targets: &Targets, dark: &Dark) -> Targeting {
        match targets {
            Targets { uniform: Some(plan), .. } => {
                let limits = plan.octets_below.unwrap_or([256; 4]);
                let eligible = match plan.octets_below {
                    None => dark.size(),
                    Some(_) => dark.addresses().filter(|address| below(*address, limits)).count() as u64,
                };
                let domain = limits.iter().map(|limit| f64::from(*limit)).product();
                Targeting::Uniform { plan: plan.clone(), eligible, domain }
            }
            Targets { sequential: Some(plan), .. } if plan.block == 0 => {
                let index = |address: u32| if plan.byte_reversed { address.swap_bytes() } else { address };
                Targeting::Tour { tour: Tour::new(dark, index), threads: u64::from(plan.threads.max(1)) }
            }
            Targets { sequential: Some(plan), .. } => {
                Targeting::Blocks { plan: plan.clone(), blocks: dark.blocks(plan.block) }
            }
            Targets { permutation: Some(plan), .. } => {
                let key = plan.key;
                Targeting::Tour {
                    tour: Tour::new(dark, |address| super::tour::permuted(address, key)),
                    threads: 1,
                }
            }
            Targets { hit_list: Some(plan), .. } => Targeting::list(plan, dark),
            _ => Targeting::None,
        }
    }

    fn list(plan: &HitList, dark: &Dark) -> Targeting {
        let addresses = plan.all();
        let (length, passes) = (addresses.len() as u64, plan.passes);
        let inside = (0u64..).zip(addresses).filter(|(_, address)| dark.contains(*address)).collect();
        Targeting::List { inside, length, passes }
    }

    /// The dark ones among a host's targets with these numbers, in no order. Of a block that begins among them and
    /// is quick, all are told, those after the last number as well, and none of a block that began before.
    pub(super) fn hits(&self, worker: &Worker, numbers: Range<u64>, dark: &Dark, sink: Sink<'_>) {
        match self {
            _ if numbers.is_empty() => {}
            Targeting::None => {}
            Targeting::Uniform { plan, eligible, domain } => {
                uniform(plan, (*eligible, *domain), worker, &numbers, dark, sink);
            }
            Targeting::Blocks { plan, blocks } if plan.block > WIDE => {
                Blocks { plan, blocks, worker, dark }.narrow(&numbers, sink);
            }
            Targeting::Blocks { plan, blocks } => Blocks { plan, blocks, worker, dark }.wide(&numbers, sink),
            Targeting::Tour { tour, threads } => {
                for thread in 0..*threads {
                    let start = low(worker.seed.of("start").at(thread).number());
                    let steps = numbers.start.saturating_sub(thread).div_ceil(*threads)
                        ..numbers.end.saturating_sub(thread).div_ceil(*threads);
                    tour.visits(start, steps, &mut |step, address| {
                        sink(step * threads + thread, IpAddr::V4(address));
                    });
                }
            }
            Targeting::List { inside, length, passes } => {
                let end = passes.map_or(numbers.end, |passes| numbers.end.min(passes * length));
                for pass in numbers.start / (*length).max(1)..end.div_ceil((*length).max(1)) {
                    for (place, address) in inside {
                        let number = pass * length + place;
                        if numbers.start <= number && number < end {
                            sink(number, *address);
                        }
                    }
                }
            }
        }
    }
}

/// Blocks of at most this prefix length take a host so long that each is worked out, day by day.
const WIDE: u8 = 16;

/// Whether no octet reaches its limit.
pub(super) fn below(address: u32, limits: [u16; 4]) -> bool {
    address.to_be_bytes().iter().zip(limits).all(|(octet, limit)| u16::from(*octet) < limit)
}

/// The addresses of a host's own network of a prefix length; none for an IPv6 host.
pub(super) fn own_network(address: IpAddr, length: u8) -> Option<(u32, u32)> {
    let IpAddr::V4(four) = address else { return None };
    let hosts = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let first = u32::from(four) & !hosts;
    Some((first, first | hosts))
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
fn uniform(
    plan: &Uniform,
    (eligible, domain): (u64, f64),
    worker: &Worker,
    numbers: &Range<u64>,
    dark: &Dark,
    sink: Sink<'_>,
) {
    let mut random = worker.draws.generator();
    let tries = numbers.end - numbers.start;
    let place = |random: &mut Random, ranks: &Range<u64>, limits: Option<[u16; 4]>| loop {
        let address = dark.nth(random.random_range(ranks.clone()))?;
        if limits.is_none_or(|limits| below(address, limits)) {
            return Some(IpAddr::V4(Ipv4Addr::from(address)));
        }
    };
    let mut rest = 1.0;
    for own in &plan.own {
        rest -= own.share;
        let Some((first, last)) = own_network(worker.address, own.prefix) else { continue };
        let ranks = dark.ranks(first, last);
        let share = own.share * (ranks.end - ranks.start) as f64 / (f64::from(last - first) + 1.0);
        for _ in 0..binomial(&mut random, tries, share) {
            let number = random.random_range(numbers.clone());
            if let Some(address) = place(&mut random, &ranks, None) {
                sink(number, address);
            }
        }
    }
    if eligible > 0 && rest > 0.0 {
        for _ in 0..binomial(&mut random, tries, rest * eligible as f64 / domain) {
            let number = random.random_range(numbers.clone());
            if let Some(address) = place(&mut random, &(0..dark.size()), plan.octets_below) {
                sink(number, address);
            }
        }
    }
}

/// Scans block by block.
struct Blocks<'a> {
    plan: &'a Sequential,
    blocks: &'a [u32],
    worker: &'a Worker,
    dark: &'a Dark,
}

impl Blocks<'_> {
    fn size(&self) -> u64 {
        1 << (32 - u32::from(self.plan.block.min(32)))
    }

    /// Targets of one pass through a block.
    fn pass(&self) -> u64 {
        self.size().div_ceil(u64::from(self.plan.stride.max(1)))
    }

    /// Targets that a host has while one of its threads goes through a block.
    fn round(&self) -> u64 {
        self.pass() * u64::from(self.plan.passes.max(1)) * self.threads()
    }

    fn threads(&self) -> u64 {
        u64::from(self.plan.threads.max(1))
    }

    /// The host's own block, where it has one.
    fn own(&self) -> Option<u32> {
        own_network(self.worker.address, self.plan.block).map(|(first, _)| first)
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
    fn share_in_the_dark(&self) -> f64 {
        self.blocks.len() as f64 * self.size() as f64 / (1u64 << 32) as f64
    }

    /// Small blocks: how many of those that begin now lie in the dark is drawn.
    fn narrow(&self, numbers: &Range<u64>, sink: Sink<'_>) {
        let mut random = self.worker.draws.generator();
        let round = self.round();
        let own = self.own().filter(|first| !self.ranks(*first).is_empty());
        for thread in 0..self.threads() {
            let rounds = numbers.start.saturating_sub(thread).div_ceil(round)
                ..numbers.end.saturating_sub(thread).div_ceil(round);
            let count = rounds.end.saturating_sub(rounds.start);
            let ours = binomial(&mut random, count, own.map_or(0.0, |_| self.plan.own));
            let theirs = binomial(&mut random, count, (1.0 - self.plan.own) * self.share_in_the_dark());
            for at in 0..(ours + theirs).min(count) {
                let block = match own {
                    Some(first) if at < ours => first,
                    _ => self.first_of(self.blocks[random.random_range(0..self.blocks.len())]),
                };
                let number = random.random_range(rounds.clone());
                let begin = number * round + thread;
                self.sweep(block, begin, &(0..u64::MAX), sink);
            }
        }
    }

    /// Large blocks: each that is being scanned now is known, wherever it lies.
    fn wide(&self, numbers: &Range<u64>, sink: Sink<'_>) {
        let round = self.round();
        for thread in 0..self.threads() {
            let rounds = numbers.start.saturating_sub(thread) / round
                ..numbers.end.saturating_sub(thread).div_ceil(round);
            for number in rounds {
                let seed = self.worker.seed.of("block").at(thread).at(number);
                let own = self.own().filter(|_| seed.of("own").share() < self.plan.own);
                // A random address is in a random block.
                let any = low(seed.number()) & !low(self.size() - 1);
                let block = own.unwrap_or(any);
                if !self.ranks(block).is_empty() {
                    self.sweep(block, number * round + thread, numbers, sink);
                }
            }
        }
    }

    /// The first address of a block.
    fn first_of(&self, block: u32) -> u32 {
        block.checked_shl(32 - u32::from(self.plan.block)).unwrap_or(0)
    }

    fn ranks(&self, first: u32) -> Range<u64> {
        self.dark.ranks(first, low(u64::from(first) + self.size() - 1))
    }

    /// The dark targets of a block whose first target has the number `begin`, as far as they lie within `numbers`.
    fn sweep(&self, first: u32, begin: u64, numbers: &Range<u64>, sink: Sink<'_>) {
        let (size, stride) = (self.size(), u64::from(self.plan.stride.max(1)));
        let offset = match self.plan.start {
            Start::First => 0,
            Start::Random => self.worker.seed.of("offset").at(begin).number() % size,
        };
        for address in self.ranks(first).filter_map(|rank| self.dark.nth(rank)) {
            let ahead = (u64::from(address - first) + size - offset) % size;
            if ahead % stride != 0 {
                continue;
            }
            for pass in 0..u64::from(self.plan.passes.max(1)) {
                let number = begin + (pass * self.pass() + ahead / stride) * self.threads();
                if numbers.contains(&number) {
                    sink(number, IpAddr::V4(Ipv4Addr::from(address)));
                }
            }
        }
    }
}
