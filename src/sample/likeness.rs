//! Static likeness of samples: a graph of samples whose files are so similar that they are taken as one
//! malware family, and the names that spread in it.
//!
//! Features that are common among unrelated programs do not count: a hash of imports or of a rich header that
//! samples of several known families share (a packer, a runtime) links nothing, nor does such a YARA rule.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

use super::StaticFeatures;
use super::ssdeep::SsdeepDigest;
use super::tlsh::TlshDigest;

/// Maximum TLSH distance of files that count as alike. In the evaluation of the TLSH paper (see
/// [`TlshDigest`]), files within 40 are half of all related pairs, and 0.07 % of the unrelated ones. A history
/// of 1,000 samples has 500,000 pairs, of which 0.07 % are hundreds, so that a stricter limit is used.
const TLSH_DISTANCE_MAX: u32 = 30;
/// Minimum ssdeep score of files that count as alike: at most 40 % of the characters of the digests differ.
const SSDEEP_SCORE_MIN: u64 = 60;
/// Minimum rarity in bits of the YARA rules that two samples share: a chance of 1 in 64.
const YARA_BITS_MIN: f64 = 6.0;
/// Minimum rarity of a YARA rule that counts: it matches at most one sample in eight.
const RULE_BITS_MIN: f64 = 3.0;
/// Number of links of a sample for the same reason, above which further samples link to others. It bounds the
/// graph of a large family, which stays connected.
const LINKS_MAX: usize = 20;
/// The hash of imports of all programs for .NET, which import one function of the runtime.
const DOT_NET_IMPHASH: &str = "f34d5f2d4577ed6d9ceec516c1f5a744";

/// Why two samples are alike.
#[derive(Clone, Debug, PartialEq)]
pub enum LikenessReason {
    /// They import the same functions in the same order.
    Imphash,
    /// They were linked with the same tools from the same kinds of objects.
    RichHeader,
    /// The TLSH distance of their files.
    Tlsh(u32),
    /// The ssdeep score of their files, 0 to 100.
    Ssdeep(u64),
    /// YARA rules that match both and few others.
    Yara(Vec<String>),
}

impl fmt::Display for LikenessReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LikenessReason::Imphash => f.write_str("same imphash"),
            LikenessReason::RichHeader => f.write_str("same rich header"),
            LikenessReason::Tlsh(distance) => write!(f, "TLSH distance {distance}"),
            LikenessReason::Ssdeep(score) => write!(f, "ssdeep score {score}"),
            LikenessReason::Yara(rules) => write!(f, "YARA {}", rules.join(", ")),
        }
    }
}

/// Which samples are alike. Samples are numbered from 0, as they were given.
#[derive(Clone, Debug, Default)]
pub struct LikenessGraph {
    graph: UnGraph<(), Vec<LikenessReason>>,
}

impl LikenessGraph {
    /// Compares samples. Each has its features, and the family that is known without static likeness.
    #[must_use]
    pub fn of(samples: &[(&StaticFeatures, Option<&str>)]) -> LikenessGraph {
        let mut links = LikenessLinks::default();
        link_equal(samples, &mut links, |features| features.imphash.as_deref(), &LikenessReason::Imphash);
        link_equal(
            samples,
            &mut links,
            |features| features.rich_hash.as_deref(),
            &LikenessReason::RichHeader,
        );
        link_by_tlsh(samples, &mut links);
        link_by_ssdeep(samples, &mut links);
        link_by_yara(samples, &mut links);
        let mut graph = UnGraph::default();
        samples.iter().for_each(|_| _ = graph.add_node(()));
        for ((a, b), reasons) in links.reasons {
            graph.add_edge(NodeIndex::new(a), NodeIndex::new(b), reasons);
        }
        LikenessGraph { graph }
    }

    /// Returns the samples that are like a sample, ascending, with the reasons.
    #[must_use]
    pub fn neighbours(&self, sample: usize) -> Vec<(usize, &[LikenessReason])> {
        let node = NodeIndex::new(sample);
        let edges = self.graph.edges(node);
        let mut all: Vec<(usize, &[LikenessReason])> = edges
            .map(|edge| {
                let other = if edge.source() == node { edge.target() } else { edge.source() };
                (other.index(), edge.weight().as_slice())
            })
            .collect();
        all.sort_by_key(|(other, _)| *other);
        all
    }

    /// Returns, for each sample, the neighbour whose name it takes: none if it has a name of its own, or if no
    /// neighbour has one. A name spreads from neighbour to neighbour. Where neighbours disagree, the name of
    /// most of them is taken; if two names are equally frequent, none is.
    #[must_use]
    pub fn name_sources(&self, names: &[Option<String>]) -> Vec<Option<usize>> {
        let mut named: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        let mut sources = vec![None; names.len()];
        loop {
            let unnamed = (0..names.len()).filter(|sample| named[*sample].is_none());
            let found: Vec<(usize, usize)> =
                unnamed.filter_map(|sample| Some((sample, self.name_source(sample, &named)?))).collect();
            if found.is_empty() {
                return sources;
            }
            for (sample, source) in found {
                sources[sample] = Some(source);
                named[sample] = named[source];
            }
        }
    }

    fn name_source(&self, sample: usize, named: &[Option<&str>]) -> Option<usize> {
        // Number of neighbours by name, and the first of them.
        let mut votes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (other, _) in self.neighbours(sample) {
            if let Some(name) = named[other] {
                votes.entry(name.to_lowercase()).or_insert((0, other)).0 += 1;
            }
        }
        let most = votes.values().map(|(count, _)| *count).max()?;
        let mut winners = votes.values().filter(|(count, _)| *count == most);
        match (winners.next(), winners.next()) {
            (Some((_, first)), None) => Some(*first),
            _ => None,
        }
    }

    /// Returns, for each sample, the first sample of its component of the graph, if only links between wanted
    /// samples count.
    #[must_use]
    pub fn components(&self, is_wanted: &dyn Fn(usize) -> bool) -> Vec<usize> {
        let count = self.graph.node_count();
        let mut union = UnionFind::<usize>::new(count);
        for edge in self.graph.edge_references() {
            let (a, b) = (edge.source().index(), edge.target().index());
            if is_wanted(a) && is_wanted(b) {
                union.union(a, b);
            }
        }
        let mut first: HashMap<usize, usize> = HashMap::new();
        (0..count).map(|sample| *first.entry(union.find(sample)).or_insert(sample)).collect()
    }
}

/// Links between samples, with the reasons.
#[derive(Default)]
struct LikenessLinks {
    /// By the numbers of both samples, the smaller one first.
    reasons: BTreeMap<(usize, usize), Vec<LikenessReason>>,
}

impl LikenessLinks {
    fn add(&mut self, a: usize, b: usize, reason: LikenessReason) {
        self.reasons.entry((a.min(b), a.max(b))).or_default().push(reason);
    }
}

/// Counts the links of each sample for one reason.
struct LinkCounter(Vec<usize>);

impl LinkCounter {
    fn new(samples: usize) -> LinkCounter {
        LinkCounter(vec![0; samples])
    }

    /// Returns whether two samples may be linked, and counts the link. A sample that has no link yet always
    /// may, so that every sample of a large group is connected with it.
    fn may_link(&mut self, a: usize, b: usize) -> bool {
        let may = self.0[a] < LINKS_MAX || self.0[b] < LINKS_MAX;
        if may {
            self.0[a] += 1;
            self.0[b] += 1;
        }
        may
    }
}

/// Returns the samples by a value, without the values that samples of several known families share.
fn by_value<'a>(
    samples: &[(&'a StaticFeatures, Option<&str>)],
    values: impl Fn(&'a StaticFeatures) -> Vec<&'a str>,
) -> BTreeMap<&'a str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (features, _)) in samples.iter().enumerate() {
        for value in values(features) {
            groups.entry(value).or_default().push(at);
        }
    }
    groups.retain(|_, group| {
        let families = group.iter().filter_map(|at| samples[*at].1).map(str::to_lowercase);
        group.len() > 1 && families.collect::<BTreeSet<_>>().len() < 2
    });
    groups
}

fn link_equal<'a>(
    samples: &[(&'a StaticFeatures, Option<&str>)],
    links: &mut LikenessLinks,
    value: impl Fn(&'a StaticFeatures) -> Option<&'a str>,
    reason: &LikenessReason,
) {
    let one = |features| value(features).filter(|value| *value != DOT_NET_IMPHASH).into_iter().collect();
    for group in by_value(samples, one).into_values() {
        for (place, b) in group.iter().enumerate() {
            for a in group[..place].iter().rev().take(LINKS_MAX) {
                links.add(*a, *b, reason.clone());
            }
        }
    }
}

fn link_by_tlsh(samples: &[(&StaticFeatures, Option<&str>)], links: &mut LikenessLinks) {
    let digest = |(at, (features, _)): (usize, &(&StaticFeatures, _))| {
        Some((at, TlshDigest::parse(features.tlsh.as_ref()?)?))
    };
    let digests: Vec<(usize, TlshDigest)> = samples.iter().enumerate().filter_map(digest).collect();
    let mut counter = LinkCounter::new(samples.len());
    for (place, (b, digest)) in digests.iter().enumerate() {
        for (a, other) in &digests[..place] {
            let distance = digest.distance(other);
            if distance <= TLSH_DISTANCE_MAX && counter.may_link(*a, *b) {
                links.add(*a, *b, LikenessReason::Tlsh(distance));
            }
        }
    }
}

fn link_by_ssdeep(samples: &[(&StaticFeatures, Option<&str>)], links: &mut LikenessLinks) {
    let parse = |features: &StaticFeatures| SsdeepDigest::parse(features.ssdeep.as_ref()?);
    let digests: Vec<Option<SsdeepDigest>> = samples.iter().map(|(features, _)| parse(features)).collect();
    // Only samples whose digests share successive characters can be alike.
    let mut sharing: HashMap<(u64, &[u8]), Vec<usize>> = HashMap::new();
    let mut counter = LinkCounter::new(samples.len());
    for (b, digest) in digests.iter().enumerate() {
        let Some(digest) = digest else { continue };
        let mut candidates = BTreeSet::new();
        for part in digest.common_parts() {
            let known = sharing.entry(part).or_default();
            candidates.extend(known.iter().copied().filter(|a| *a != b));
            known.push(b);
        }
        for a in candidates {
            let score = digests[a].as_ref().map_or(0, |other| digest.score(other));
            if score >= SSDEEP_SCORE_MIN && counter.may_link(a, b) {
                links.add(a, b, LikenessReason::Ssdeep(score));
            }
        }
    }
}

fn link_by_yara(samples: &[(&StaticFeatures, Option<&str>)], links: &mut LikenessLinks) {
    let rules = by_value(samples, |features| features.yara.iter().map(String::as_str).collect());
    // Rules that match exactly the same samples are often parts of one rule, and count once.
    let mut sets: BTreeMap<Vec<usize>, Vec<&str>> = BTreeMap::new();
    for (rule, mut group) in rules {
        group.dedup();
        if rarity_bits(group.len(), samples.len()) >= RULE_BITS_MIN {
            sets.entry(group).or_default().push(rule);
        }
    }
    let mut shared: BTreeMap<(usize, usize), (f64, Vec<&str>)> = BTreeMap::new();
    for (group, rules) in &sets {
        for (place, b) in group.iter().enumerate() {
            for a in group[..place].iter().rev().take(LINKS_MAX) {
                let (bits, names) = shared.entry((*a, *b)).or_default();
                *bits += rarity_bits(group.len(), samples.len());
                names.extend(rules.iter().take(1));
            }
        }
    }
    for ((a, b), (bits, names)) in shared {
        if bits >= YARA_BITS_MIN {
            links.add(a, b, LikenessReason::Yara(names.into_iter().map(str::to_owned).collect()));
        }
    }
}

/// Returns the rarity of a rule that matches `count` of `all` samples: the logarithm of the inverse share.
#[expect(clippy::cast_precision_loss, reason = "numbers of samples")]
fn rarity_bits(count: usize, all: usize) -> f64 {
    if count < 2 { 0.0 } else { (all as f64 / count as f64).log2() }
}

#[cfg(test)]
#[path = "likeness_tests.rs"]
mod tests;
