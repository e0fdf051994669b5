//! Computes which targets of a host are dark. Other targets are never generated: the hits of a random scan
//! are drawn from the binomial distribution, and those of a sequential scan are computed.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use rand::RngExt;

use super::dark_space::{DarkSpace, low_32_bits};
use super::family_plan::{HitList, SequentialScan, SweepStart, Targets, UniformScan};
use super::internet_scan::InternetScan;
use super::random::{Seed, SeededRng, binomial};

/// A scanning host, as far as its targets depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanningHost {
    /// Address of the host, which determines its own networks.
    pub(super) address: IpAddr,
    /// Seed of the host, the same on every day and at every sensor.
    pub(super) seed: Seed,
    /// Seed of the random numbers for this host, day and sensor.
    pub(super) draw_seed: Seed,
}

/// Receives the number of a target (the number of targets that the host had before) and its address.
pub(super) type TargetSink<'a> = &'a mut dyn FnMut(u64, IpAddr);

/// The targets of a family as far as they are dark at one sensor.
#[derive(Clone, Debug)]
pub(super) enum SensorTargeting {
    /// Random targets. `eligible` is the number of dark addresses within the octet limits, `domain` the
    /// number of all addresses within them.
    Uniform { plan: UniformScan, eligible: u64, domain: f64 },
    /// Sequential targets in blocks. `blocks` holds the numbers of the blocks with a dark address.
    Blocks { plan: SequentialScan, blocks: Vec<u32> },
    /// All IPv4 addresses in an order of their own.
    InternetScan { scan: InternetScan, threads: u64 },
    /// A hit list. `dark_addresses` holds its dark addresses with their places, `length` is its number of addresses.
    HitList { dark_addresses: Vec<(u64, IpAddr)>, length: u64, passes: Option<u64> },
    /// No targets.
    None,
}

impl SensorTargeting {
    pub(super) fn new(targets: &Targets, dark: &DarkSpace) -> SensorTargeting {
        match targets {
            Targets { uniform: Some(plan), .. } => {
                let limits = plan.octets_below.unwrap_or([256; 4]);
                let eligible = match plan.octets_below {
                    None => dark.size(),
                    Some(_) => dark.addresses().filter(|address| is_below(*address, limits)).count() as u64,
                };
                let domain = limits.iter().map(|limit| f64::from(*limit)).product();
                SensorTargeting::Uniform { plan: plan.clone(), eligible, domain }
            }
            Targets { sequential: Some(plan), .. } if plan.block == 0 => {
                let index = |address: u32| if plan.byte_reversed { address.swap_bytes() } else { address };
                SensorTargeting::InternetScan {
                    scan: InternetScan::new(dark, index),
                    threads: u64::from(plan.threads.max(1)),
                }
            }
            Targets { sequential: Some(plan), .. } => {
                SensorTargeting::Blocks { plan: plan.clone(), blocks: dark.blocks(plan.block) }
            }
            Targets { permutation: Some(plan), .. } => {
                let key = plan.key;
                SensorTargeting::InternetScan {
                    scan: InternetScan::new(dark, |address| super::internet_scan::permute(address, key)),
                    threads: 1,
                }
            }
            Targets { hit_list: Some(plan), .. } => SensorTargeting::hit_list(plan, dark),
            _ => SensorTargeting::None,
        }
    }

    fn hit_list(plan: &HitList, dark: &DarkSpace) -> SensorTargeting {
        let addresses = plan.expanded_addresses();
        let (length, passes) = (addresses.len() as u64, plan.passes);
        let inside = (0u64..).zip(addresses).filter(|(_, address)| dark.contains(*address)).collect();
        SensorTargeting::HitList { dark_addresses: inside, length, passes }
    }

    /// Passes on the dark targets among those of a host with the given numbers, in no particular order. A
    /// narrow block (see [`WIDE_BLOCK_LENGTH_MAX`]) counts where it begins: if it begins within the numbers, all of its dark
    /// targets are passed on, including those with later numbers; otherwise, none are.
    pub(super) fn hits(
        &self,
        worker: &ScanningHost,
        numbers: Range<u64>,
        dark: &DarkSpace,
        sink: TargetSink<'_>,
    ) {
        match self {
            _ if numbers.is_empty() => {}
            SensorTargeting::None => {}
            SensorTargeting::Uniform { plan, eligible, domain } => {
                uniform_hits(plan, (*eligible, *domain), worker, &numbers, dark, sink);
            }
            SensorTargeting::Blocks { plan, blocks } if plan.block > WIDE_BLOCK_LENGTH_MAX => {
                BlockScan { plan, blocks, worker, dark }.narrow_block_hits(&numbers, sink);
            }
            SensorTargeting::Blocks { plan, blocks } => {
                BlockScan { plan, blocks, worker, dark }.wide_block_hits(&numbers, sink)
            }
            SensorTargeting::InternetScan { scan: tour, threads } => {
                for thread in 0..*threads {
                    let start = low_32_bits(worker.seed.named("start").numbered(thread).to_u64());
                    let steps = numbers.start.saturating_sub(thread).div_ceil(*threads)
                        ..numbers.end.saturating_sub(thread).div_ceil(*threads);
                    tour.visits(start, steps, &mut |step, address| {
                        sink(step * threads + thread, IpAddr::V4(address));
                    });
                }
            }
            SensorTargeting::HitList { dark_addresses: inside, length, passes } => {
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
const WIDE_BLOCK_LENGTH_MAX: u8 = 16;

/// Returns whether each octet of an address is below its limit.
pub(super) fn is_below(address: u32, limits: [u16; 4]) -> bool {
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
fn uniform_hits(
    plan: &UniformScan,
    (eligible, domain): (u64, f64),
    worker: &ScanningHost,
    numbers: &Range<u64>,
    dark: &DarkSpace,
    sink: TargetSink<'_>,
) {
    let mut random = worker.draw_seed.generator();
    let tries = numbers.end - numbers.start;
    let place = |random: &mut SeededRng, ranks: &Range<u64>, limits: Option<[u16; 4]>| loop {
        let address = dark.nth(random.random_range(ranks.clone()))?;
        if limits.is_none_or(|limits| is_below(address, limits)) {
            return Some(IpAddr::V4(Ipv4Addr::from(address)));
        }
    };
    let mut fresh = DistinctDraws::default();
    let mut rest = 1.0;
    for own in &plan.own {
        rest -= own.share;
        let Some((first, last)) = own_network(worker.address, own.prefix) else { continue };
        let ranks = dark.ranks(first, last);
        let share = own.share * (ranks.end - ranks.start) as f64 / (f64::from(last - first) + 1.0);
        for _ in 0..binomial(&mut random, tries, share) {
            let Some(number) = fresh.draw(numbers, &mut random) else { return };
            if let Some(address) = place(&mut random, &ranks, None) {
                sink(number, address);
            }
        }
    }
    if eligible > 0 && rest > 0.0 {
        for _ in 0..binomial(&mut random, tries, rest * eligible as f64 / domain) {
            let Some(number) = fresh.draw(numbers, &mut random) else { return };
            if let Some(address) = place(&mut random, &(0..dark.size()), plan.octets_below) {
                sink(number, address);
            }
        }
    }
}

/// Numbers drawn from a range without repetition, since a host has one target at a time. Memory: 16 bytes per
/// number.
#[derive(Default)]
struct DistinctDraws(HashSet<u64, foldhash::fast::RandomState>);

impl DistinctDraws {
    /// Draws a number that was not drawn before; `None` if all were.
    fn draw(&mut self, range: &Range<u64>, random: &mut SeededRng) -> Option<u64> {
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
struct BlockScan<'a> {
    plan: &'a SequentialScan,
    blocks: &'a [u32],
    worker: &'a ScanningHost,
    dark: &'a DarkSpace,
}

impl BlockScan<'_> {
    /// Returns the number of addresses of a block.
    fn size(&self) -> u64 {
        1 << (32 - u32::from(self.plan.block.min(32)))
    }

    /// Returns the number of targets of one pass through a block.
    fn targets_per_pass(&self) -> u64 {
        self.size().div_ceil(u64::from(self.plan.stride.max(1)))
    }

    /// Returns the number of targets of a host, over all threads, while one of its threads scans a block.
    fn targets_per_round(&self) -> u64 {
        self.targets_per_pass() * u64::from(self.plan.passes.max(1)) * self.threads()
    }

    fn threads(&self) -> u64 {
        u64::from(self.plan.threads.max(1))
    }

    /// Returns the first address of the host's own block; `None` for an IPv6 host.
    fn own_block(&self) -> Option<u32> {
        own_network(self.worker.address, self.plan.block).map(|(first, _)| first)
    }

    /// Returns the share of all blocks that contain a dark address.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
    fn dark_block_share(&self) -> f64 {
        self.blocks.len() as f64 * self.size() as f64 / (1u64 << 32) as f64
    }

    /// Draws how many of the blocks that begin within the numbers contain dark addresses. For small blocks.
    fn narrow_block_hits(&self, numbers: &Range<u64>, sink: TargetSink<'_>) {
        let mut random = self.worker.draw_seed.generator();
        let round = self.targets_per_round();
        let own = self.own_block().filter(|first| !self.ranks(*first).is_empty());
        for thread in 0..self.threads() {
            let rounds = numbers.start.saturating_sub(thread).div_ceil(round)
                ..numbers.end.saturating_sub(thread).div_ceil(round);
            let count = rounds.end.saturating_sub(rounds.start);
            let ours = binomial(&mut random, count, own.map_or(0.0, |_| self.plan.own));
            let theirs = binomial(&mut random, count, (1.0 - self.plan.own) * self.dark_block_share());
            let mut fresh = DistinctDraws::default();
            for at in 0..ours + theirs {
                let block = match own {
                    Some(first) if at < ours => first,
                    _ => self.first_address(self.blocks[random.random_range(0..self.blocks.len())]),
                };
                let Some(number) = fresh.draw(&rounds, &mut random) else { break };
                let begin = number * round + thread;
                self.sweep(block, begin, &(0..u64::MAX), sink);
            }
        }
    }

    /// Computes each block that is scanned within the numbers, whether it contains dark addresses or not. For
    /// large blocks.
    fn wide_block_hits(&self, numbers: &Range<u64>, sink: TargetSink<'_>) {
        let round = self.targets_per_round();
        for thread in 0..self.threads() {
            let rounds = numbers.start.saturating_sub(thread) / round
                ..numbers.end.saturating_sub(thread).div_ceil(round);
            for number in rounds {
                let seed = self.worker.seed.named("block").numbered(thread).numbered(number);
                let own = self.own_block().filter(|_| seed.named("own").fraction() < self.plan.own);
                // The block of a random address is a random block.
                let any = low_32_bits(seed.to_u64()) & !low_32_bits(self.size() - 1);
                let block = own.unwrap_or(any);
                if !self.ranks(block).is_empty() {
                    self.sweep(block, number * round + thread, numbers, sink);
                }
            }
        }
    }

    /// Returns the first address of the block with a number.
    fn first_address(&self, block: u32) -> u32 {
        block.checked_shl(32 - u32::from(self.plan.block)).unwrap_or(0)
    }

    /// Returns the ranks of the dark addresses in the block that begins at an address.
    fn ranks(&self, first: u32) -> Range<u64> {
        self.dark.ranks(first, low_32_bits(u64::from(first) + self.size() - 1))
    }

    /// Passes on the dark targets of a block, as far as their numbers lie within `numbers`. `begin` is the
    /// number of the block's first target.
    fn sweep(&self, first: u32, begin: u64, numbers: &Range<u64>, sink: TargetSink<'_>) {
        let (size, stride) = (self.size(), u64::from(self.plan.stride.max(1)));
        let offset = match self.plan.start {
            SweepStart::First => 0,
            SweepStart::Random => self.worker.seed.named("offset").numbered(begin).to_u64() % size,
        };
        for address in self.ranks(first).filter_map(|rank| self.dark.nth(rank)) {
            let ahead = (u64::from(address - first) + size - offset) % size;
            if ahead % stride != 0 {
                continue;
            }
            for pass in 0..u64::from(self.plan.passes.max(1)) {
                let number = begin + (pass * self.targets_per_pass() + ahead / stride) * self.threads();
                if numbers.contains(&number) {
                    sink(number, IpAddr::V4(Ipv4Addr::from(address)));
                }
            }
        }
    }
}
