//! The formats of the answer of `inga correlate`.

use std::io::{self, Write};

use super::answer::{Answer, Format};
use super::hypotheses::CorrelationAnswer;
use super::svg::Theme;
use super::{dot, html, hypotheses, hypotheses_json};

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
