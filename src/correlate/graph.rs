//! The evidence as a graph: samples, types, shapes, families, sensors and labels, with what joins them.

use std::collections::HashMap;
use std::fmt;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::history::Granularity;
use crate::sample::Origin;

use super::{Hypothesis, Match};

/// A thing that evidence is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
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
}

impl Node {
    /// The kind, a stable word for machines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Node::Sample { .. } => "sample",
            Node::Behavior { granularity: Granularity::Type, .. } => "type",
            Node::Behavior { granularity: Granularity::Shape, .. } => "shape",
            Node::Behavior { granularity: Granularity::Family, .. } => "family",
            Node::Sensor(_) => "sensor",
            Node::Label(_) => "label",
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Sample { title, .. } => f.write_str(title),
            Node::Behavior { canonical, .. } => f.write_str(canonical),
            Node::Sensor(name) => f.write_str(name),
            Node::Label(id) => f.write_str(id),
        }
    }
}

/// What joins two things.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// Sample → behavior: it shows it, or would to a sensor.
    Shows {
        /// How it follows from the run.
        origin: Origin,
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
    /// Sample → sensor: a hypothesis.
    Explains {
        /// The verdict.
        verdict: String,
        /// Weight of the evidence.
        score: f64,
    },
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Link::Shows { origin, share } => write!(f, "shows ({origin}, {:.0} %)", share * 100.0),
            Link::Saw { windows, hosts } => write!(f, "saw {windows} windows of {hosts} hosts"),
            Link::IsA => f.write_str("is a"),
            Link::Labelled => f.write_str("labelled"),
            Link::Explains { verdict, score } => write!(f, "{verdict} (score {score:.2})"),
        }
    }
}

/// Nodes with what joins them; each node and each link once.
pub type EvidenceGraph = DiGraph<Node, Link>;

/// The graph of ranked hypotheses.
#[must_use]
pub fn evidence_graph(hypotheses: &[Hypothesis]) -> EvidenceGraph {
    let mut builder = Builder::default();
    for hypothesis in hypotheses {
        let sample =
            builder.node(Node::Sample { id: hypothesis.sample.clone(), title: hypothesis.title.clone() });
        let sensor = builder.node(Node::Sensor(hypothesis.sensor.clone()));
        // Ranked: the first hypothesis of a pair is its best.
        let verdict = hypothesis.verdict.to_string();
        builder.link(sample, sensor, Link::Explains { verdict, score: hypothesis.score });
        let Some(granularity) = hypothesis.granularity else { continue };
        for matched in hypothesis.matched.iter().chain(&hypothesis.also) {
            builder.matched(sample, sensor, granularity, matched);
        }
    }
    builder.graph
}

#[derive(Default)]
struct Builder {
    graph: EvidenceGraph,
    nodes: HashMap<Node, NodeIndex>,
}

impl Builder {
    fn node(&mut self, node: Node) -> NodeIndex {
        if let Some(index) = self.nodes.get(&node) {
            return *index;
        }
        let index = self.graph.add_node(node.clone());
        self.nodes.insert(node, index);
        index
    }

    fn link(&mut self, from: NodeIndex, to: NodeIndex, link: Link) {
        if self.graph.find_edge(from, to).is_none() {
            self.graph.add_edge(from, to, link);
        }
    }

    /// The type as the sensor saw it, its shape and its family, each linked to the next.
    fn coarser(&mut self, granularity: Granularity, matched: &Match) {
        let Some(record) = &matched.seen_as else { return };
        let chain = [
            (Granularity::Type, &record.behavior),
            (Granularity::Shape, &record.shape),
            (Granularity::Family, &record.family),
        ];
        let chain: Vec<NodeIndex> = chain
            .into_iter()
            .filter(|(level, _)| *level >= granularity)
            .map(|(granularity, behavior)| {
                self.node(Node::Behavior { granularity, canonical: behavior.canonical.clone() })
            })
            .collect();
        for pair in chain.windows(2) {
            self.link(pair[0], pair[1], Link::IsA);
        }
    }

    fn matched(&mut self, sample: NodeIndex, sensor: NodeIndex, granularity: Granularity, matched: &Match) {
        let canonical = matched.behavior.canonical.clone();
        let behavior = self.node(Node::Behavior { granularity, canonical });
        self.link(sample, behavior, Link::Shows { origin: matched.origin, share: matched.share });
        self.link(sensor, behavior, Link::Saw { windows: matched.windows, hosts: matched.hosts.total });
        self.coarser(granularity, matched);
        for label in &matched.labels {
            let label = self.node(Node::Label(label.clone()));
            self.link(behavior, label, Link::Labelled);
        }
    }
}
