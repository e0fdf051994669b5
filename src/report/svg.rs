//! What all pictures share: escaping, colours, ticks.
//!
//! Colours are Okabe and Ito's, which colour-blind people tell apart; grounds and inks follow the reader's light or
//! dark scheme. All styles hang on the class `inga`, so that several pictures may stand in one page.

use std::fmt::Write;

use super::text::is_harmful;

/// Text for XML and HTML, in elements and attributes. Characters that XML forbids, or that reorder or hide text,
/// are replaced.
#[must_use]
pub fn escape_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_harmful(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Styles of all pictures.
pub(super) const STYLE: &str = "<style>
svg.inga { --ground: #ffffff; --ink: #1b1b1b; --soft: #5c5c5c; --rule: #d5d5d5; --band: #ece4d2;
  --c0: #0072b2; --c1: #d55e00; --c2: #007a5a; --c3: #a8558a; --c4: #8a6d00; --c5: #2a7fb8; }
@media (prefers-color-scheme: dark) { svg.inga { --ground: #15181c; --ink: #e8e8e8; --soft: #a5a9ae;
  --rule: #3a3f45; --band: #3a3424; --c0: #56b4e9; --c1: #ff9e4f; --c2: #3fd0a4; --c3: #e49ac8;
  --c4: #f0e442; --c5: #9ad0f5; } }
svg.inga text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: var(--ink); }
svg.inga text.title { font-size: 14px; font-weight: 600; }
svg.inga text.soft { fill: var(--soft); paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
svg.inga .ground { fill: var(--ground); }
svg.inga .axis { stroke: var(--ink); stroke-width: 1; fill: none; }
svg.inga .rule { stroke: var(--rule); stroke-width: 1; }
svg.inga .band { fill: var(--band); }
svg.inga .mark { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 3; }
svg.inga .probe { stroke: var(--c0); stroke-width: 1; fill: none; }
svg.inga .dot { fill: var(--ink); }
svg.inga .line { stroke-width: 1.6; fill: none; stroke-linejoin: round; }
</style>";

/// How many line colours there are.
pub(super) const COLOURS: usize = 6;

/// Width of a letter, about: texts are kept apart and cut by it.
pub(super) const LETTER: f64 = 6.6;

/// A text cut to a width, its end then three points. Letters beyond ASCII count twice: many are as wide as two.
pub(super) fn fitted(text: &str, width: f64) -> String {
    let letter = |c: char| if c.is_ascii() { LETTER } else { 2.0 * LETTER };
    if text.chars().map(letter).sum::<f64>() <= width {
        return text.to_owned();
    }
    let mut room = width - 3.0 * LETTER;
    let fits = text.chars().take_while(|c| {
        room -= letter(*c);
        room >= 0.0
    });
    fits.chain("...".chars()).collect()
}

/// Opens a picture with its ground, title and description.
pub(super) fn open(out: &mut String, width: f64, height: f64, title: &str, description: &str) {
    let (title, description) = (escape_xml(title), escape_xml(description));
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"inga\" role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n<title>{title}</title><desc>{description}</desc>\n{STYLE}\n<rect class=\"ground\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n"
    );
}

/// A text at a place; `anchor` is `start`, `middle` or `end`.
pub(super) fn text(out: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let text = escape_xml(text);
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
    );
}

/// A text turned to read upwards, its middle at a place.
pub(super) fn upright(out: &mut String, x: f64, y: f64, text: &str) {
    let text = escape_xml(text);
    let _ = writeln!(
        out,
        "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" class=\"soft\">{text}</text>"
    );
}

/// A straight line.
pub(super) fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

/// Round numbers that divide 0 to `max` in about `count` steps; the last one reaches `max`.
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

/// A number as people write it: thousands apart, no more digits than it has.
#[must_use]
pub fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 10.0 && value.fract() != 0.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_an_element() {
        assert_eq!(
            escape_xml("<a b='c'>&\"\u{1b}\u{202e}"),
            "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(97.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(0.0, 5), [0.0, 1.0]);
        assert_eq!(ticks(1.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(0.5), "0.5");
    }
}
