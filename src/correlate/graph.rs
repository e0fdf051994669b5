//! The evidence as a graph: samples, types, shapes, patterns, sensors, labels and hosts, with what joins them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

use crate::history::Granularity;
use crate::sample::BehaviorOrigin;

use super::{Hypothesis, Match};

/// A thing that evidence is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceNode {
    /// A sample, by its id, with its title.
    Sample {
        /// Its hash.
        id: String,
        /// For people.
        title: String,
    },
    /// A behavior at a granularity, by its canonical string.
    Behavior {
        /// How fine.
        granularity: Granularity,
        /// Its canonical string.
        canonical: String,
    },
    /// A sensor, by name.
    Sensor(String),
    /// A label, by its rule's id.
    Label(String),
    /// A host, by its address.
    Host(IpAddr),
}

impl EvidenceNode {
    /// The kind, a stable word for machines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            EvidenceNode::Sample { .. } => "sample",
            EvidenceNode::Behavior { granularity: Granularity::Type, .. } => "type",
            EvidenceNode::Behavior { granularity: Granularity::Shape, .. } => "shape",
            EvidenceNode::Behavior { granularity: Granularity::Pattern, .. } => "pattern",
            EvidenceNode::Sensor(_) => "sensor",
            EvidenceNode::Label(_) => "label",
            EvidenceNode::Host(_) => "host",
        }
    }
}

impl fmt::Display for EvidenceNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvidenceNode::Sample { title, .. } => f.write_str(title),
            EvidenceNode::Behavior { canonical, .. } => f.write_str(canonical),
            EvidenceNode::Sensor(name) => f.write_str(name),
            EvidenceNode::Label(id) => f.write_str(id),
            EvidenceNode::Host(address) => write!(f, "{address}"),
        }
    }
}

/// What joins two things.
#[derive(Clone, Debug, PartialEq)]
pub enum EvidenceLink {
    /// Sample → behavior: it shows it, or would to a sensor.
    Shows {
        /// How it follows from the run.
        origin: BehaviorOrigin,
        /// Share of the run, 0 to 1.
        share: f64,
    },
    /// Sensor → behavior: it saw it.
    Saw {
        /// Windows.
        windows: u64,
        /// Unique hosts.
        hosts: u64,
    },
    /// Behavior → the coarser behavior that it is one of.
    IsA,
    /// Behavior → label.
    Labelled,
    /// Host → behavior: it behaved so.
    Behaved {
        /// Windows.
        windows: u64,
    },
    /// Sample → sample: a sensor cannot tell them apart.
    Alike,
    /// Sample → sensor: a hypothesis.
    Explains {
        /// The verdict.
        verdict: String,
        /// Weight of the evidence.
        score: f64,
    },
}

impl fmt::Display for EvidenceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvidenceLink::Shows { origin, share } => write!(f, "shows ({origin}, {:.0} %)", share * 100.0),
            EvidenceLink::Saw { windows, hosts } => write!(f, "saw {windows} windows of {hosts} hosts"),
            EvidenceLink::IsA => f.write_str("is a"),
            EvidenceLink::Labelled => f.write_str("labelled"),
            EvidenceLink::Behaved { windows } => write!(f, "{windows} windows"),
            EvidenceLink::Alike => f.write_str("alike"),
            EvidenceLink::Explains { verdict, score } => {
                write!(f, "{verdict} (score {:.2})", crate::escape::without_negative_zero(*score, 2))
            }
        }
    }
}

/// Nodes with what joins them; each node and each link once.
pub type EvidenceGraph = DiGraph<EvidenceNode, EvidenceLink>;

/// The graph of ranked hypotheses.
#[must_use]
pub fn evidence_graph(hypotheses: &[Hypothesis]) -> EvidenceGraph {
    let mut builder = Builder::default();
    for hypothesis in hypotheses {
        let sample = builder
            .node(EvidenceNode::Sample { id: hypothesis.sample.clone(), title: hypothesis.title.clone() });
        let sensor = builder.node(EvidenceNode::Sensor(hypothesis.sensor.clone()));
        // Ranked: the first hypothesis of a pair is its best.
        let verdict = hypothesis.verdict.to_string();
        builder.link(sample, sensor, EvidenceLink::Explains { verdict, score: hypothesis.score });
        for other in
            hypotheses.iter().filter(|other| hypothesis.alike.iter().any(|twin| twin.id == other.sample))
        {
            let other =
                builder.node(EvidenceNode::Sample { id: other.sample.clone(), title: other.title.clone() });
            builder.link(sample, other, EvidenceLink::Alike);
        }
        let Some(granularity) = hypothesis.granularity else { continue };
        for matched in hypothesis.matched.iter().chain(&hypothesis.other_matches) {
            builder.matched(sample, sensor, granularity, matched);
        }
    }
    builder.graph
}

/// Communities of samples that no sensor tells apart, directly or by way of others: their titles, the largest first.
/// Samples by themselves are left out.
#[must_use]
pub fn communities(graph: &EvidenceGraph) -> Vec<Vec<String>> {
    let mut sets = UnionFind::<usize>::new(graph.node_count());
    for edge in graph.edge_references().filter(|edge| *edge.weight() == EvidenceLink::Alike) {
        sets.union(edge.source().index(), edge.target().index());
    }
    let mut all: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for node in graph.node_indices() {
        if let EvidenceNode::Sample { title, .. } = &graph[node] {
            all.entry(sets.find(node.index())).or_default().push(title.clone());
        }
    }
    let mut all: Vec<Vec<String>> = all.into_values().filter(|titles| titles.len() > 1).collect();
    all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    all
}

/// The shortest way of evidence from a host to each sample that it leads to: what lies on it, from the host on, with
/// what joins each to the next. Samples and hosts are no steps between others, and a sensor joins nothing: that it saw
/// two behaviors says nothing of either.
#[must_use]
pub fn paths(graph: &EvidenceGraph, host: IpAddr) -> Vec<Vec<(String, String)>> {
    let Some(start) = graph.node_indices().find(|node| graph[*node] == EvidenceNode::Host(host)) else {
        return Vec::new();
    };
    let mut before: HashMap<NodeIndex, (NodeIndex, String)> = HashMap::new();
    let mut waiting = VecDeque::from([start]);
    let mut ends = Vec::new();
    while let Some(node) = waiting.pop_front() {
        if node != start
            && matches!(
                graph[node],
                EvidenceNode::Host(_) | EvidenceNode::Sensor(_) | EvidenceNode::Sample { .. }
            )
        {
            ends.extend(matches!(graph[node], EvidenceNode::Sample { .. }).then_some(node));
            continue;
        }
        for way in [Direction::Outgoing, Direction::Incoming] {
            for edge in graph.edges_directed(node, way) {
                let next = if way == Direction::Outgoing { edge.target() } else { edge.source() };
                if next != start && !before.contains_key(&next) {
                    before.insert(next, (node, edge.weight().to_string()));
                    waiting.push_back(next);
                }
            }
        }
    }
    let path = |end: NodeIndex| {
        let mut steps = vec![(graph[end].to_string(), String::new())];
        let mut at = end;
        while let Some((previous, link)) = before.get(&at) {
            steps.push((graph[*previous].to_string(), link.clone()));
            at = *previous;
        }
        steps.reverse();
        steps
    };
    ends.into_iter().map(path).collect()
}

#[derive(Default)]
struct Builder {
    graph: EvidenceGraph,
    nodes: HashMap<EvidenceNode, NodeIndex>,
}

impl Builder {
    fn node(&mut self, node: EvidenceNode) -> NodeIndex {
        if let Some(index) = self.nodes.get(&node) {
            return *index;
        }
        let index = self.graph.add_node(node.clone());
        self.nodes.insert(node, index);
        index
    }

    fn link(&mut self, from: NodeIndex, to: NodeIndex, link: EvidenceLink) {
        if self.graph.find_edge(from, to).is_none() {
            self.graph.add_edge(from, to, link);
        }
    }

    /// The type as the sensor saw it, its shape and its pattern, each linked to the next.
    fn coarser(&mut self, granularity: Granularity, matched: &Match) {
        let Some(record) = &matched.observed_type else { return };
        let chain = [
            (Granularity::Type, &record.behavior),
            (Granularity::Shape, &record.shape),
            (Granularity::Pattern, &record.pattern),
        ];
        let chain: Vec<NodeIndex> = chain
            .into_iter()
            .filter(|(level, _)| *level >= granularity)
            .map(|(granularity, behavior)| {
                self.node(EvidenceNode::Behavior { granularity, canonical: behavior.canonical.clone() })
            })
            .collect();
        for pair in chain.windows(2) {
            self.link(pair[0], pair[1], EvidenceLink::IsA);
        }
    }

    fn matched(&mut self, sample: NodeIndex, sensor: NodeIndex, granularity: Granularity, matched: &Match) {
        let canonical = matched.behavior.canonical.clone();
        let behavior = self.node(EvidenceNode::Behavior { granularity, canonical });
        self.link(sample, behavior, EvidenceLink::Shows { origin: matched.origin, share: matched.share });
        self.link(
            sensor,
            behavior,
            EvidenceLink::Saw { windows: matched.windows, hosts: matched.hosts.total },
        );
        self.coarser(granularity, matched);
        for label in &matched.labels {
            let label = self.node(EvidenceNode::Label(label.clone()));
            self.link(behavior, label, EvidenceLink::Labelled);
        }
        for host in &matched.hosts.hosts {
            let windows = host.windows;
            let host = self.node(EvidenceNode::Host(host.host));
            self.link(host, behavior, EvidenceLink::Behaved { windows });
        }
    }
}
