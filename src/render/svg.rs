//! Colors, ticks and texts that all pictures share.
//!
//! Colors follow Okabe and Ito, so that color-blind readers can distinguish them. Background and text follow
//! the reader's light or dark color scheme. All styles apply to the class `inga` only, so that several
//! pictures can be part of one page.

use std::fmt::Write;

use crate::escape::{escape_hidden, xml};

/// The colors of a picture.
struct Palette<T> {
    ground: T,
    ink: T,
    soft: T,
    rule: T,
    band: T,
    lines: [T; COLOURS],
}

/// Number of colors for lines.
pub(super) const COLOURS: usize = 6;

const LIGHT: Palette<&str> = Palette {
    ground: "#ffffff",
    ink: "#1b1b1b",
    soft: "#5c5c5c",
    rule: "#d5d5d5",
    band: "#ece4d2",
    lines: ["#0072b2", "#d55e00", "#007a5a", "#a8558a", "#8a6d00", "#2a7fb8"],
};

const DARK: Palette<&str> = Palette {
    ground: "#15181c",
    ink: "#e8e8e8",
    soft: "#a5a9ae",
    rule: "#3a3f45",
    band: "#3a3424",
    lines: ["#56b4e9", "#ff9e4f", "#3fd0a4", "#e49ac8", "#f0e442", "#9ad0f5"],
};

/// The colors of a picture or page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Theme {
    /// As the reader's browser asks for; light if it states no preference
    #[default]
    #[value(alias = "reader")]
    Auto,
    /// Light, as on paper
    Light,
    /// Dark
    Dark,
}

/// Styles that do not depend on the theme.
const SHAPES: &str = "svg.inga text { font: 13px system-ui, 'DejaVu Sans', sans-serif; }
svg.inga text.title { font-size: 15px; font-weight: 600; }
svg.inga text.soft { paint-order: stroke; stroke-width: 3px; }
svg.inga .axis, svg.inga .mark, svg.inga .probe, svg.inga .line { fill: none; stroke-width: 1; }
svg.inga .mark { stroke-dasharray: 4 3; }
svg.inga .line { stroke-width: 1.8; stroke-linejoin: round; }
svg.inga .flow { fill-opacity: 0.6; }
";

/// Returns the color styles. They repeat the colors instead of using CSS variables: librsvg, Inkscape and
/// resvg do not support these and would draw black.
fn colours<T: std::fmt::Display>(palette: &Palette<T>) -> String {
    let Palette { ground, ink, soft, rule, band, lines } = palette;
    let mut out = format!(
        "svg.inga text, svg.inga .dot {{ fill: {ink}; }}
svg.inga text.soft {{ fill: {soft}; stroke: {ground}; }}
svg.inga .ground {{ fill: {ground}; }}
svg.inga .axis {{ stroke: {ink}; }}
svg.inga .rule {{ stroke: {rule}; }}
svg.inga .band {{ fill: {band}; }}
svg.inga .mark {{ stroke: {soft}; }}
svg.inga .soft-fill {{ fill: {soft}; }}
svg.inga .rule-fill {{ fill: {rule}; }}
svg.inga .probe {{ stroke: {}; }}
",
        lines[0]
    );
    for (place, colour) in lines.iter().enumerate() {
        let _ = writeln!(
            out,
            "svg.inga .s{place} {{ stroke: {colour}; }} svg.inga .f{place} {{ fill: {colour}; }}"
        );
    }
    out
}

/// Returns the style element of a picture.
fn style(theme: Theme) -> String {
    let colours = match theme {
        Theme::Light => colours(&LIGHT),
        Theme::Dark => colours(&DARK),
        Theme::Auto => {
            let (light, dark) = (colours(&LIGHT), colours(&DARK));
            format!("{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
        }
    };
    format!("<style>\n{SHAPES}{colours}</style>")
}

/// Returns the styles of all pictures for a page that contains pictures from [`without_style`]. The page chooses light
/// or dark by its color scheme.
#[must_use]
pub fn page_style() -> String {
    let both = |light: &str, dark: &str| format!("light-dark({light}, {dark})");
    let palette = Palette {
        ground: both(LIGHT.ground, DARK.ground),
        ink: both(LIGHT.ink, DARK.ink),
        soft: both(LIGHT.soft, DARK.soft),
        rule: both(LIGHT.rule, DARK.rule),
        band: both(LIGHT.band, DARK.band),
        lines: std::array::from_fn(|place| both(LIGHT.lines[place], DARK.lines[place])),
    };
    format!("{SHAPES}{}", colours(&palette))
}

/// Returns a picture without its style element, for a page that has [`page_style`] and forbids other styles.
#[must_use]
pub fn without_style(picture: &str) -> String {
    match (picture.find("<style>"), picture.find("</style>")) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{}", &picture[..from], &picture[to + "</style>".len()..])
        }
        _ => picture.to_owned(),
    }
}

/// Returns the approximate width of a text at 13 px. Letters are as wide as in DejaVu Sans, one of the wider
/// system fonts; letters of scripts such as Chinese are as wide as high.
#[must_use]
pub(super) fn text_width(text: &str) -> f64 {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | ' ' | '(' | ')' | '/' | '-' => 4.8,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 12.6,
        c if c.is_ascii_uppercase() => 9.2,
        c if c < '\u{1100}' => 8.2,
        _ => 13.0,
    };
    escape_hidden(text).chars().map(width).sum()
}

/// Shortens a text to a width. An ellipsis stands for the rest.
#[must_use]
pub(super) fn cut(text: &str, width: f64) -> String {
    // The escaped text is written, so its width counts.
    let text = escape_hidden(text);
    if text_width(&text) <= width {
        return text;
    }
    let mut out = String::new();
    for c in text.chars() {
        if text_width(&out) + text_width(c.encode_utf8(&mut [0; 4])) + 13.0 > width {
            break;
        }
        out.push(c);
    }
    out + "\u{2026}"
}

/// Writes the opening of a picture: its size, title, description, styles and background.
pub(super) fn open(
    out: &mut String,
    (width, height): (f64, f64),
    title: &str,
    description: &str,
    theme: Theme,
) {
    let (title, description, style) = (xml(title), xml(description), style(theme));
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"inga\" role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n<title>{title}</title><desc>{description}</desc>\n{style}\n<rect class=\"ground\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n"
    );
}

/// Writes a text at a place. `anchor` is `start`, `middle` or `end`.
pub(super) fn text(out: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let text = xml(text);
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
    );
}

/// Writes a text that reads upwards and is centered on a place.
pub(super) fn vertical_text(out: &mut String, x: f64, y: f64, text: &str) {
    let text = xml(text);
    let _ = writeln!(
        out,
        "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" class=\"soft\">{text}</text>"
    );
}

/// Writes a straight line.
pub(super) fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

/// Returns the dash pattern of a line, so that lines can be distinguished without colors. After each
/// [`COLOURS`] lines, the patterns are shifted against the colors, so that 36 lines have different
/// combinations.
pub(super) fn dash(place: usize) -> &'static str {
    ["none", "7 3", "2 2", "9 3 2 3", "4 4", "1 4"][(place + place / COLOURS) % COLOURS]
}

/// Returns round numbers from 0 on, in about `count` equal steps; the last one is at least `max`.
#[must_use]
pub fn ticks(max: f64, count: usize) -> Vec<f64> {
    if !max.is_finite() || max <= 0.0 {
        return vec![0.0, 1.0];
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let raw = max / count.max(1) as f64;
    let magnitude = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|nice| nice * magnitude).find(|step| *step >= raw * 0.999);
    let step = step.unwrap_or(10.0 * magnitude);
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| *last < max * 0.999) && ticks.len() < 100 {
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
        ticks.push(step * ticks.len() as f64);
    }
    ticks
}

/// Splits a text at spaces into lines that are at most `width` wide. A longer word is cut.
#[must_use]
pub(super) fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in escape_hidden(text).split(' ') {
        match lines.last_mut() {
            Some(line) if text_width(line) + text_width(" ") + text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, width)),
        }
    }
    lines
}

/// Formats a number for an axis; large numbers are short: `2,500`, `150 k`, `1.2 M`.
#[must_use]
pub(super) fn axis_number(value: f64) -> String {
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) if value >= 1e5 => {
            format!("{} {name}", number((value / unit * 100.0).round() / 100.0))
        }
        _ => number(value),
    }
}

/// Formats a number with separated thousands: two decimal places at most below 10, none from 10 on.
#[must_use]
pub fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 10.0 && value.fract() != 0.0 {
        let text = format!("{value:.2}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return if text == "-0" { "0".to_owned() } else { text.to_owned() };
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    // A value that rounds to zero is written without a sign, not as "-0".
    if value < 0.0 && digits != "0" { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(97.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(0.0, 5), [0.0, 1.0]);
        assert_eq!(ticks(1.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(0.5), "0.5");
        assert_eq!([-0.0, -0.001, -0.4, 0.001].map(number), ["0", "0", "-0.4", "0"]);
        assert_eq!(
            [2_500.0, 150_000.0, 1_200_000.0, 3e9].map(axis_number),
            ["2,500", "150 k", "1.2 M", "3 G"]
        );
    }

    #[test]
    fn a_theme_is_chosen_and_texts_are_cut() {
        let opened = |theme| {
            let mut picture = String::new();
            open(&mut picture, (10.0, 10.0), "t", "d", theme);
            picture
        };
        let auto = opened(Theme::Auto);
        assert!(auto.contains("prefers-color-scheme") && auto.contains(DARK.ink));
        let dark = opened(Theme::Dark);
        assert!(
            !dark.contains("prefers-color-scheme") && dark.contains(DARK.ink) && !dark.contains(LIGHT.ink)
        );
        assert_eq!(cut("short", 100.0), "short");
        let lines = wrapped(&"some words ".repeat(20), 100.0);
        assert!(lines.len() > 10 && lines.iter().all(|line| text_width(line) <= 100.0), "{lines:?}");
        let long = cut(&"long ".repeat(40), 100.0);
        assert!(long.ends_with('\u{2026}') && text_width(&long) <= 100.0, "{long}");
    }
}
