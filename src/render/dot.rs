//! The evidence graph in the formats of graph tools: DOT and GraphML.

use std::io::{self, Write};

use petgraph::dot::{Config, Dot};
use petgraph::graph::{EdgeReference, NodeIndex};
use petgraph::visit::{EdgeRef, IntoNodeReferences};

use crate::correlate::{EvidenceGraph, EvidenceLink, EvidenceNode};

use crate::escape::{escape_hidden, xml};

/// Returns a text as a quoted DOT string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escape_hidden(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// Writes the graph as Graphviz DOT.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub(super) fn dot(out: &mut dyn Write, graph: &EvidenceGraph) -> io::Result<()> {
    let node = |_, (_, node): (NodeIndex, &EvidenceNode)| {
        let shape = match node.kind() {
            "sample" => "box",
            "sensor" => "house",
            "label" => "note",
            "host" => "plaintext",
            _ => "ellipse",
        };
        format!("label={} shape={shape} class=\"{}\"", quoted(&node.to_string()), node.kind())
    };
    let edge =
        |_, edge: EdgeReference<'_, EvidenceLink>| format!("label={}", quoted(&edge.weight().to_string()));
    let config = [Config::GraphContentOnly, Config::NodeNoLabel, Config::EdgeNoLabel];
    let content = Dot::with_attr_getters(graph, &config, &edge, &node);
    let style = "rankdir=LR; node [fontname=\"sans-serif\"]; edge [fontname=\"sans-serif\" fontsize=10];";
    writeln!(out, "digraph inga {{\n    {style}\n{content}}}")
}

/// Writes the graph as GraphML, with the kind and label of each node and the relation and weight of each
/// edge.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub(super) fn graphml(out: &mut dyn Write, graph: &EvidenceGraph) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">")?;
    let keys = [
        ("kind", "node", "string"),
        ("label", "node", "string"),
        ("relation", "edge", "string"),
        ("weight", "edge", "double"),
    ];
    for (name, of, kind) in keys {
        writeln!(out, "  <key id=\"{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>")?;
    }
    writeln!(out, "  <graph edgedefault=\"directed\">")?;
    for (index, node) in graph.node_references() {
        let label = xml(&node.to_string());
        let kind = node.kind();
        writeln!(
            out,
            "    <node id=\"n{}\"><data key=\"kind\">{kind}</data><data key=\"label\">{label}</data></node>",
            index.index()
        )?;
    }
    for edge in graph.edge_references() {
        let label = xml(&edge.weight().to_string());
        let (from, to) = (edge.source().index(), edge.target().index());
        let weight = weight(edge.weight());
        writeln!(
            out,
            "    <edge source=\"n{from}\" target=\"n{to}\"><data key=\"relation\">{label}</data><data key=\"weight\">{weight}</data></edge>"
        )?;
    }
    writeln!(out, "  </graph>\n</graphml>")
}

/// Returns the weight of a link: a share (0 to 1), a number of hosts or windows, or a score; 1 if it has no
/// number.
#[expect(clippy::cast_precision_loss, reason = "hosts, below 2^52")]
fn weight(link: &EvidenceLink) -> f64 {
    match link {
        EvidenceLink::Shows { share, .. } => *share,
        EvidenceLink::Saw { hosts, .. } => *hosts as f64,
        EvidenceLink::Behaved { windows } => *windows as f64,
        EvidenceLink::IsA | EvidenceLink::Labelled | EvidenceLink::Alike => 1.0,
        EvidenceLink::Explains { score, .. } => *score,
    }
}
