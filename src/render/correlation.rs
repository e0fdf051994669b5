//! The answer of `inga correlate`: hypotheses about the causes of observed scans, and the evidence graph.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use crate::correlate::{EvidenceGraph, Hypothesis};
use crate::history::Coverage;
use crate::sample::SampleProfile;

use super::answer::{Answer, Format};
use super::svg::Theme;
use super::{dot, html, hypotheses, hypotheses_json};

/// Hypotheses with everything that their pictures show.
pub struct CorrelationAnswer<'a> {
    /// Hypotheses in the order of their ranks.
    pub hypotheses: &'a [Hypothesis],
    /// Profiles of the samples.
    pub samples: Vec<&'a SampleProfile>,
    /// Coverage of each sensor, by the sensor's name.
    pub coverage: &'a BTreeMap<String, Coverage>,
    /// Length of a window in seconds, which is the length of the time axis of tiles.
    pub window_seconds: u32,
    /// Graph of samples, behaviors, sensors and hosts.
    pub graph: EvidenceGraph,
    /// Host whose connection to the samples the text shows.
    pub host: Option<IpAddr>,
}

impl Answer for CorrelationAnswer<'_> {
    const FORMATS: &'static [Format] =
        &[Format::Text, Format::Json, Format::Html, Format::Svg, Format::Png, Format::Dot, Format::Graphml];

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        hypotheses::text(out, self.hypotheses)?;
        hypotheses::connections(out, &self.graph, self.host)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        hypotheses_json::json(out, self.hypotheses)
    }

    fn html(&self, out: &mut dyn Write, theme: Theme) -> io::Result<()> {
        let page = html::page(self, theme).map_err(io::Error::other)?;
        out.write_all(page.as_bytes())
    }

    fn svg(&self, theme: Theme) -> io::Result<String> {
        let nothing = || io::Error::other("no sensor saw any behavior of the samples: nothing to draw");
        html::picture(self, theme).ok_or_else(nothing)
    }

    fn dot(&self, out: &mut dyn Write) -> io::Result<()> {
        dot::dot(out, &self.graph)
    }

    fn graphml(&self, out: &mut dyn Write) -> io::Result<()> {
        dot::graphml(out, &self.graph)
    }
}
