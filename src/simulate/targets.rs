//! Computes which targets of a host are dark. Other targets are never generated: the hits of a random scan
//! are drawn from the binomial distribution, and those of a sequential scan are computed.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use rand::RngExt;

use super::dark::{Dark, low};
use super::random::{Random, Seed, binomial};
use super::scenario::{HitList, Sequential, Start, Targets, Uniform};
use super::tour::Tour;

/// A scanning host, as far as its targets depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    /// Address of the host, which determines its own networks.
    pub(super) address: IpAddr,
    /// Seed of the host, the same on every day and at every sensor.
    pub(super) seed: Seed,
    /// Seed of the random numbers for this host, day and sensor.
    pub(super) draws: Seed,
}

/// Receives the number of a target (the number of targets that the host had before) and its address.
pub(super) type Sink<'a> = &'a mut dyn FnMut(u64, IpAddr);

/// The targets of a family as far as they are dark at one sensor.
#[derive(Clone, Debug)]
pub(super) enum Targeting {
    /// Random targets. `eligible` is the number of dark addresses within the octet limits, `domain` the
    /// number of all addresses within them.
    Uniform { plan: Uniform, eligible: u64, domain: f64 },
    /// Sequential targets in blocks. `blocks` holds the numbers of the blocks with a dark address.
    Blocks { plan: Sequential, blocks: Vec<u32> },
    /// All IPv4 addresses in an order of their own.
    Tour { tour: Tour, threads: u64 },
    /// A hit list. `inside` holds its dark addresses with their places, `length` is its number of addresses.
    List { inside: Vec<(u64, IpAddr)>, length: u64, passes: Option<u64> },
    /// No targets.
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

    /// Passes on the dark targets among those of a host with the given numbers, in no particular order. A
    /// narrow block (see [`WIDE`]) counts where it begins: if it begins within the numbers, all of its dark
    /// targets are passed on, including those with later numbers; otherwise, none are.
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

/// Maximum prefix length of a wide block. A host needs so long for a wide block that each block is computed
/// day by day.
const WIDE: u8 = 16;

/// Returns whether each octet of an address is below its limit.
pub(super) fn below(address: u32, limits: [u16; 4]) -> bool {
    address.to_be_bytes().iter().zip(limits).all(|(octet, limit)| u16::from(*octet) < limit)
}

/// Returns the first and the last address of a host's own network of a prefix length; `None` for an IPv6
/// host.
pub(super) fn own_network(address: IpAddr, length: u8) -> Option<(u32, u32)> {
    let IpAddr::V4(four) = address else { return None };
    let hosts = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let first = u32::from(four) & !hosts;
    Some((first, first | hosts))
}

/// Draws the dark targets of a random scan.
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
    let mut fresh = Fresh::default();
    let mut rest = 1.0;
    for own in &plan.own {
        rest -= own.share;
        let Some((first, last)) = own_network(worker.address, own.prefix) else { continue };
        let ranks = dark.ranks(first, last);
        let share = own.share * (ranks.end - ranks.start) as f64 / (f64::from(last - first) + 1.0);
        for _ in 0..binomial(&mut random, tries, share) {
            let Some(number) = fresh.one_of(numbers, &mut random) else { return };
            if let Some(address) = place(&mut random, &ranks, None) {
                sink(number, address);
            }
        }
    }
    if eligible > 0 && rest > 0.0 {
        for _ in 0..binomial(&mut random, tries, rest * eligible as f64 / domain) {
            let Some(number) = fresh.one_of(numbers, &mut random) else { return };
            if let Some(address) = place(&mut random, &(0..dark.size()), plan.octets_below) {
                sink(number, address);
            }
        }
    }
}

/// Numbers drawn from a range without repetition, since a host has one target at a time. Memory: 16 bytes per
/// number.
#[derive(Default)]
struct Fresh(HashSet<u64, foldhash::fast::RandomState>);

impl Fresh {
    /// Draws a number that was not drawn before; `None` if all were.
    fn one_of(&mut self, range: &Range<u64>, random: &mut Random) -> Option<u64> {
        if self.0.len() as u64 >= range.end.saturating_sub(range.start) {
            return None;
        }
        loop {
            let number = random.random_range(range.clone());
            if self.0.insert(number) {
                return Some(number);
            }
        }
    }
}

/// A sequential scan in blocks.
struct Blocks<'a> {
    plan: &'a Sequential,
    blocks: &'a [u32],
    worker: &'a Worker,
    dark: &'a Dark,
}

impl Blocks<'_> {
    /// Returns the number of addresses of a block.
    fn size(&self) -> u64 {
        1 << (32 - u32::from(self.plan.block.min(32)))
    }

    /// Returns the number of targets of one pass through a block.
    fn pass(&self) -> u64 {
        self.size().div_ceil(u64::from(self.plan.stride.max(1)))
    }

    /// Returns the number of targets of a host, over all threads, while one of its threads scans a block.
    fn round(&self) -> u64 {
        self.pass() * u64::from(self.plan.passes.max(1)) * self.threads()
    }

    fn threads(&self) -> u64 {
        u64::from(self.plan.threads.max(1))
    }

    /// Returns the first address of the host's own block; `None` for an IPv6 host.
    fn own(&self) -> Option<u32> {
        own_network(self.worker.address, self.plan.block).map(|(first, _)| first)
    }

    /// Returns the share of all blocks that contain a dark address.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
    fn share_in_the_dark(&self) -> f64 {
        self.blocks.len() as f64 * self.size() as f64 / (1u64 << 32) as f64
    }

    /// Draws how many of the blocks that begin within the numbers contain dark addresses. For small blocks.
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
            let mut fresh = Fresh::default();
            for at in 0..ours + theirs {
                let block = match own {
                    Some(first) if at < ours => first,
                    _ => self.first_of(self.blocks[random.random_range(0..self.blocks.len())]),
                };
                let Some(number) = fresh.one_of(&rounds, &mut random) else { break };
                let begin = number * round + thread;
                self.sweep(block, begin, &(0..u64::MAX), sink);
            }
        }
    }

    /// Computes each block that is scanned within the numbers, whether it contains dark addresses or not. For
    /// large blocks.
    fn wide(&self, numbers: &Range<u64>, sink: Sink<'_>) {
        let round = self.round();
        for thread in 0..self.threads() {
            let rounds = numbers.start.saturating_sub(thread) / round
                ..numbers.end.saturating_sub(thread).div_ceil(round);
            for number in rounds {
                let seed = self.worker.seed.of("block").at(thread).at(number);
                let own = self.own().filter(|_| seed.of("own").share() < self.plan.own);
                // The block of a random address is a random block.
                let any = low(seed.number()) & !low(self.size() - 1);
                let block = own.unwrap_or(any);
                if !self.ranks(block).is_empty() {
                    self.sweep(block, number * round + thread, numbers, sink);
                }
            }
        }
    }

    /// Returns the first address of the block with a number.
    fn first_of(&self, block: u32) -> u32 {
        block.checked_shl(32 - u32::from(self.plan.block)).unwrap_or(0)
    }

    /// Returns the ranks of the dark addresses in the block that begins at an address.
    fn ranks(&self, first: u32) -> Range<u64> {
        self.dark.ranks(first, low(u64::from(first) + self.size() - 1))
    }

    /// Passes on the dark targets of a block, as far as their numbers lie within `numbers`. `begin` is the
    /// number of the block's first target.
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
