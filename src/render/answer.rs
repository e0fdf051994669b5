//! Answers of commands, and the formats in which they are written.

use std::io::{self, Write};

use super::svg::Theme;

/// The format of an answer. Its names are also the extensions of output files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for people
    Text,
    /// JSON, one object per line
    #[value(alias = "ndjson")]
    Json,
    /// Comma-separated values with a header
    Csv,
    /// Table in Markdown
    #[value(alias = "md")]
    Markdown,
    /// JUnit XML for CI systems
    #[value(alias = "xml")]
    Junit,
    /// HTML page with pictures
    #[value(alias = "htm")]
    Html,
    /// SVG picture
    Svg,
    /// PNG picture
    Png,
    /// Graph for Graphviz
    #[value(alias = "gv")]
    Dot,
    /// Graph as GraphML
    Graphml,
}

impl Format {
    /// Returns the name of the format in a sentence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "JSON",
            Format::Csv => "CSV",
            Format::Markdown => "Markdown",
            Format::Junit => "JUnit XML",
            Format::Html => "HTML",
            Format::Svg => "SVG",
            Format::Png => "PNG",
            Format::Dot => "DOT",
            Format::Graphml => "GraphML",
        }
    }

    /// Returns whether an answer in this format has colors, which the theme chooses.
    #[must_use]
    pub fn has_theme(self) -> bool {
        matches!(self, Format::Html | Format::Svg | Format::Png)
    }
}

/// The answer of a command. It implements the methods of its formats; the others fail. All methods fail if
/// `out` cannot be written to.
pub trait Answer {
    /// The formats of the answer. The first is the default.
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    /// Writes text for people.
    fn text(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes lines of JSON, whose field names are stable.
    fn json(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes comma-separated values (RFC 4180).
    fn csv(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes a table in Markdown.
    fn markdown(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes JUnit XML.
    fn junit(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes an HTML page.
    fn html(&self, _out: &mut dyn Write, _theme: Theme) -> io::Result<()> {
        unsupported()
    }

    /// Draws an SVG picture. Fails if there is nothing to draw.
    fn svg(&self, _theme: Theme) -> io::Result<String> {
        unsupported()
    }

    /// Writes a graph for Graphviz.
    fn dot(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes a graph as GraphML.
    fn graphml(&self, _out: &mut dyn Write) -> io::Result<()> {
        unsupported()
    }

    /// Writes the answer in one of [`Answer::FORMATS`]. Of a PNG, the SVG picture is written, which `app`
    /// converts.
    fn write(&self, out: &mut dyn Write, format: Format, theme: Theme) -> io::Result<()> {
        match format {
            Format::Text => self.text(out),
            Format::Json => self.json(out),
            Format::Csv => self.csv(out),
            Format::Markdown => self.markdown(out),
            Format::Junit => self.junit(out),
            Format::Html => self.html(out, theme),
            Format::Svg | Format::Png => out.write_all(self.svg(theme)?.as_bytes()),
            Format::Dot => self.dot(out),
            Format::Graphml => self.graphml(out),
        }
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}
