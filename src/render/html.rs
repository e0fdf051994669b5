//! The hypotheses as one HTML page that is complete in itself: no script, font or address from elsewhere.

use askama::Template;

use crate::correlate::Hypothesis;
use crate::escape::escape_hidden_lines;

use super::hypotheses::{
    CAVEAT, CorrelationAnswer, HypothesisGroup, behavior_and_verdict, format_to_second, gaps_in_words,
    group_hypotheses, same_windows,
};
use super::hypothesis_pictures::{TilePair, plot, tile_pair};
use super::series::panels_svg;
use super::svg::Theme;
use super::tile::{tile_pair_svg, tile_svg};

/// Maximum number of pairs of sample and sensor with pictures. The table of the page has all hypotheses.
const DRAWN_MAX: usize = 12;

/// Colors of a page on a light and on a dark background.
const LIGHT: &str = ":root { --ground: #fff; --ink: #1b1b1b; --soft: #5c5c5c; --rule: #d5d5d5; \
                     --panel: #f6f6f4; --strong: #0b5d41; --weak: #7a4a00; }";
const DARK: &str = ":root { --ground: #15181c; --ink: #e8e8e8; --soft: #a5a9ae; --rule: #3a3f45; \
                    --panel: #1d2126; --strong: #3fd0a4; --weak: #f0b35a; }";

#[derive(Template)]
#[template(path = "correlation.html", config = "src/render/pages/askama.toml")]
struct Page {
    title: String,
    color_scheme: &'static str,
    colors: String,
    caveat: &'static str,
    rows: Vec<Row>,
    parts: Vec<PairSection>,
}

struct Row {
    rank: usize,
    sample: String,
    sensor: String,
    granularity: String,
    verdict: String,
    class: &'static str,
    score: String,
    hosts: String,
    first: String,
}

struct PairSection {
    rank: usize,
    sample: String,
    sensor: String,
    verdict: String,
    class: &'static str,
    granularity: String,
    canonical: String,
    labels: String,
    reasons: Vec<String>,
    tiles: Vec<String>,
    differences: Vec<String>,
    others: Vec<String>,
    series: String,
    host_total: u64,
    hosts: Vec<Host>,
    near: Vec<Near>,
}

struct Host {
    address: String,
    windows: u64,
    packets: u64,
    days: u64,
    first: String,
    last: String,
    marks: String,
}

struct Near {
    canonical: String,
    counts: String,
    gaps: Vec<String>,
}

/// Renders the page.
///
/// # Errors
/// Fails if the template fails, which a test rules out.
pub(super) fn page(correlation: &CorrelationAnswer<'_>, theme: Theme) -> Result<String, askama::Error> {
    let (color_scheme, colors) = match theme {
        Theme::Auto => ("light dark", format!("{LIGHT}\n@media (prefers-color-scheme: dark) {{ {DARK} }}")),
        Theme::Light => ("light", LIGHT.to_owned()),
        Theme::Dark => ("dark", DARK.to_owned()),
    };
    let page = Page {
        title: "Correlation of samples with the darknet".to_owned(),
        color_scheme,
        colors,
        caveat: CAVEAT,
        rows: correlation.hypotheses.iter().map(row).collect(),
        parts: group_hypotheses(correlation.hypotheses)
            .iter()
            .take(DRAWN_MAX)
            .map(|pair| pair_section(correlation, pair, theme))
            .collect(),
    };
    // The template escapes markup. Hidden characters, whatever their source, are escaped here.
    Ok(escape_hidden_lines(&page.render()?))
}

/// Returns the SVG picture of the best hypothesis with a match: its paired tiles, or else its series. `None`
/// if no hypothesis has a match.
pub(super) fn picture(correlation: &CorrelationAnswer<'_>, theme: Theme) -> Option<String> {
    let found = correlation.hypotheses.iter().find(|hypothesis| hypothesis.matched.is_some())?;
    Some(match pair_of_tiles(correlation, found) {
        Some(TilePair { micro, sensor, differences }) => tile_pair_svg(&micro, &sensor, &differences, theme),
        None => series(correlation, found, theme),
    })
}

fn class(hypothesis: &Hypothesis) -> &'static str {
    match hypothesis.verdict.word() {
        "likely" => "likely",
        "possible" => "possible",
        _ => "other",
    }
}

fn granularity(hypothesis: &Hypothesis) -> String {
    hypothesis.granularity.map_or_else(|| "–".to_owned(), |granularity| granularity.to_string())
}

fn row(hypothesis: &Hypothesis) -> Row {
    let matched = hypothesis.matched.as_ref();
    Row {
        rank: hypothesis.rank,
        sample: hypothesis.title.clone(),
        sensor: hypothesis.sensor.clone(),
        granularity: granularity(hypothesis),
        verdict: hypothesis.verdict.to_string(),
        class: class(hypothesis),
        score: format!("{:.2}", crate::escape::without_negative_zero(hypothesis.score, 2)),
        hosts: matched.map_or_else(|| "0".to_owned(), |matched| matched.hosts.total.to_string()),
        first: hypothesis
            .onset
            .as_ref()
            .map_or_else(|| "–".to_owned(), |onset| format_to_second(onset.first)),
    }
}

fn pair_of_tiles(correlation: &CorrelationAnswer<'_>, hypothesis: &Hypothesis) -> Option<TilePair> {
    let sample = correlation.samples.iter().find(|sample| sample.id == hypothesis.sample)?;
    tile_pair(hypothesis, sample, correlation.window_seconds)
}

fn series(correlation: &CorrelationAnswer<'_>, hypothesis: &Hypothesis, theme: Theme) -> String {
    let coverage = correlation.coverage.get(&hypothesis.sensor).cloned().unwrap_or_default();
    panels_svg(&[plot(hypothesis, &coverage)], theme)
}

/// Describes another hypothesis of the same sample and sensor in one line.
fn other(best: &Hypothesis, other: &Hypothesis) -> String {
    let same = if same_windows(best, other) { ": the same windows".to_owned() } else { String::new() };
    format!("rank {}, {}{same}", other.rank, behavior_and_verdict(other))
}

fn pair_section(
    correlation: &CorrelationAnswer<'_>,
    (hypothesis, others): &HypothesisGroup<'_>,
    theme: Theme,
) -> PairSection {
    let matched = hypothesis.matched.as_ref();
    let (tiles, differences) = match pair_of_tiles(correlation, hypothesis) {
        Some(pair) => {
            ([pair.micro, pair.sensor].map(|tile| tile_svg(&tile, theme)).to_vec(), pair.differences)
        }
        None => (Vec::new(), Vec::new()),
    };
    PairSection {
        rank: hypothesis.rank,
        sample: hypothesis.title.clone(),
        sensor: hypothesis.sensor.clone(),
        verdict: hypothesis.verdict.to_string(),
        class: class(hypothesis),
        granularity: granularity(hypothesis),
        canonical: matched.map_or_else(String::new, |matched| matched.behavior.canonical.clone()),
        labels: matched.map_or_else(String::new, |matched| matched.labels.join(", ")),
        reasons: hypothesis.reasons.clone(),
        tiles,
        differences,
        others: others.iter().map(|one| other(hypothesis, one)).collect(),
        series: matched.map_or_else(String::new, |_| series(correlation, hypothesis, theme)),
        host_total: matched.map_or(0, |matched| matched.hosts.total),
        hosts: matched.map_or_else(Vec::new, |matched| matched.hosts.hosts.iter().map(host).collect()),
        near: hypothesis.near_misses.iter().map(near).collect(),
    }
}

fn host(host: &crate::history::HostSummary) -> Host {
    Host {
        address: host.host.to_string(),
        windows: host.windows,
        packets: host.packets,
        days: host.days,
        first: format_to_second(host.first),
        last: format_to_second(host.last),
        marks: host.marks.join(", "),
    }
}

fn near(near: &crate::correlate::NearMiss) -> Near {
    Near {
        canonical: near.canonical.clone(),
        counts: format!("{} windows of {} hosts", near.windows, near.hosts),
        gaps: gaps_in_words(&near.gaps),
    }
}
