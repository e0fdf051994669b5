//! A cohort as a flow diagram: the behaviors of hosts before a date and from it on, and the number of hosts
//! that took each way.

use std::fmt::Write;

use jiff::civil::Date;

use crate::history::{Cohort, SensorCohort};

use crate::escape::xml;

use super::svg::{self, Theme, cut, number};

const WIDTH: f64 = 600.0;
const MARGIN: f64 = 12.0;
/// Left edges of the bars for the two periods, and the width of a bar.
const BEFORE: f64 = 190.0;
const AFTER: f64 = 400.0;
const BAR: f64 = 8.0;
/// Height of all hosts that the diagram counts, as bars without the gaps between them.
const FLOW_HEIGHT: f64 = 150.0;
/// Height of a row of text.
const ROW: f64 = 17.0;
/// Gap between nodes.
const GAP: f64 = 12.0;

/// The behaviors and periods that are compared.
#[derive(Clone, Copy, Debug)]
pub struct ComparedBehaviors<'a> {
    /// The behavior before the date.
    pub from: &'a str,
    /// The behavior from the date on.
    pub to: &'a str,
    /// The first day of the period after the change.
    pub around: Date,
    /// Length of each of the two periods, in calendar days.
    pub days: u16,
}

/// The hosts that took one way: its name, their number, the color class, and the index of the node they come
/// from.
struct FlowLink {
    name: &'static str,
    hosts: u64,
    colour: &'static str,
    source: usize,
}

/// Returns the ways, grouped by the state of the hosts after the date: not seen, another behavior, the first
/// behavior, the second behavior. In this order no two ways cross, because those from the first behavior lie
/// above those from elsewhere.
fn flow_links(cohort: &Cohort) -> [Vec<FlowLink>; 4] {
    let way = |name, hosts, colour, source| FlowLink { name, hosts, colour, source };
    [
        vec![way("gone", cohort.gone, "rule-fill", 0)],
        vec![way("otherwise", cohort.otherwise, "soft-fill", 0)],
        vec![way("stayed", cohort.stayed, "f0", 0)],
        vec![
            way("both", cohort.both, "f2", 0),
            way("switched", cohort.switched, "f1", 0),
            way("from elsewhere", cohort.from_elsewhere, "f3", 1),
            way("new", cohort.new, "f4", 2),
        ],
    ]
}

/// Draws the cohorts of sensors, one below the other.
#[must_use]
pub fn flow_svg(compared: &ComparedBehaviors<'_>, sensors: &[SensorCohort], theme: Theme) -> String {
    let mut panels = String::new();
    let head = MARGIN + 4.0 * ROW + 4.0;
    let mut top = head;
    for sensor in sensors {
        top = panel(&mut panels, compared, sensor, top) + GAP;
    }
    let title = format!("Hosts from {} to {}", compared.from, compared.to);
    let mut out = String::new();
    let description = "what became of hosts, a diagram a sensor";
    svg::open(&mut out, (WIDTH, top + MARGIN), &title, description, theme);
    svg::text(&mut out, MARGIN, MARGIN + ROW - 5.0, "start", "title", "Hosts that changed their behavior");
    let ComparedBehaviors { around, days, .. } = compared;
    let when = format!("{around}: {days} days before it, {days} from it on");
    let lines = [("from", compared.from), ("to", compared.to), ("about", &when)];
    for (line, (word, what)) in (1u8..).zip(lines) {
        let what = cut(&format!("{word} {what}"), WIDTH - 2.0 * MARGIN);
        svg::text(&mut out, MARGIN, MARGIN + ROW * f64::from(line + 1) - 5.0, "start", "soft", &what);
    }
    if sensors.is_empty() {
        svg::text(&mut out, MARGIN, head + ROW, "start", "soft", "no sensor");
    }
    out.push_str(&panels);
    out.push_str("</svg>\n");
    out
}

#[expect(clippy::cast_precision_loss, reason = "hosts, to be drawn")]
fn thickness(hosts: u64, most: u64) -> f64 {
    if hosts == 0 { 0.0 } else { (hosts as f64 / most.max(1) as f64 * FLOW_HEIGHT).max(1.5) }
}

/// Draws the diagram of a sensor and returns the y coordinate of its lower end.
fn panel(out: &mut String, compared: &ComparedBehaviors<'_>, sensor: &SensorCohort, top: f64) -> f64 {
    let ways = flow_links(&sensor.cohort);
    let before: Vec<u64> =
        (0..3).map(|node| all(&ways).filter(|way| way.source == node).map(|way| way.hosts).sum()).collect();
    let most = before.iter().sum();
    svg::line(out, "rule", (MARGIN, top), (WIDTH - MARGIN, top));
    let words = heading_lines(sensor);
    svg::text(out, MARGIN, top + ROW + 4.0, "start", "title", &cut(&words[0], WIDTH - 2.0 * MARGIN - 60.0));
    for (line, words) in (2u8..).zip(&words[1..]) {
        svg::text(out, MARGIN, top + ROW * f64::from(line) + 4.0, "start", "soft", words);
    }
    let top = top + ROW * 4.0 + GAP;
    svg::text(out, BEFORE - 6.0, top, "end", "soft", "before");
    svg::text(out, AFTER + BAR + 6.0, top, "start", "soft", "after");
    let top = top + GAP;
    let sources = [compared.from, "another behavior", "not seen"];
    let mut starts = Vec::new();
    let mut y = top;
    for (name, hosts) in sources.into_iter().zip(&before) {
        let height = thickness(*hosts, most);
        node(out, BEFORE, y, height);
        let name = cut(name, BEFORE - MARGIN - 6.0);
        svg::text(out, BEFORE - 6.0, y + 10.0, "end", "", &name);
        svg::text(out, BEFORE - 6.0, y + 10.0 + ROW, "end", "", &number_of(*hosts));
        starts.push(y);
        y += height.max(2.0 * ROW) + GAP;
    }
    let after = ["not seen", "another behavior", compared.from, compared.to];
    after_nodes(out, &ways, &after, &mut starts, most, top).max(y)
}

/// Draws the nodes of the period from the date on, and the ways that lead to them. Each way leaves its source
/// node at the y coordinate in `starts` and advances that coordinate by its thickness. Returns the y
/// coordinate of the lower end.
fn after_nodes(
    out: &mut String,
    ways: &[Vec<FlowLink>; 4],
    names: &[&str; 4],
    starts: &mut [f64],
    most: u64,
    top: f64,
) -> f64 {
    let mut y = top;
    for (ways, name) in ways.iter().zip(names) {
        let name = cut(name, WIDTH - AFTER - BAR - 6.0 - MARGIN);
        svg::text(out, AFTER + BAR + 6.0, y + 10.0, "start", "", &name);
        y += ROW;
        for way in ways {
            let height = thickness(way.hosts, most);
            ribbon(out, way, starts[way.source], y, height);
            starts[way.source] += height;
            node(out, AFTER, y, height);
            let label = format!("{} {}", number_of(way.hosts), way.name);
            svg::text(out, AFTER + BAR + 18.0, y + 10.0, "start", "soft", &label);
            y += height.max(ROW);
        }
        y += GAP;
    }
    y
}

fn all(ways: &[Vec<FlowLink>; 4]) -> impl Iterator<Item = &FlowLink> {
    ways.iter().flatten()
}

#[expect(clippy::cast_precision_loss, reason = "hosts, to be read")]
fn number_of(hosts: u64) -> String {
    number(hosts as f64)
}

fn heading_lines(sensor: &SensorCohort) -> [String; 3] {
    let SensorCohort { sensor, observed: (before, after), cohort } = sensor;
    let shared = cohort.switched + cohort.both;
    let looked = match (before, after) {
        (0, _) => "did not look before: who is new is not known".to_owned(),
        (_, 0) => "did not look after: who is gone is not known".to_owned(),
        _ => format!("looked on {before} days before and {after} after"),
    };
    [
        format!("Sensor {sensor}"),
        format!(
            "{} hosts have one before and the other after; by chance {:.2} would",
            number_of(shared),
            cohort.expected
        ),
        format!("{} hosts seen in all; {looked}", number_of(cohort.population)),
    ]
}

fn node(out: &mut String, x: f64, y: f64, height: f64) {
    let _ = writeln!(
        out,
        "<rect class=\"dot\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BAR:.1}\" height=\"{height:.1}\"/>"
    );
}

fn ribbon(out: &mut String, way: &FlowLink, from: f64, to: f64, height: f64) {
    if way.hosts == 0 {
        return;
    }
    let (left, right) = (BEFORE + BAR, AFTER);
    let middle = f64::midpoint(left, right);
    let title = xml(&format!("{} {}", way.name, way.hosts));
    let (from_end, to_end) = (from + height, to + height);
    let _ = writeln!(
        out,
        "<path class=\"flow {}\" d=\"M{left:.1} {from:.1} C{middle:.1} {from:.1} {middle:.1} {to:.1} {right:.1} {to:.1} V{to_end:.1} C{middle:.1} {to_end:.1} {middle:.1} {from_end:.1} {left:.1} {from_end:.1} Z\"><title>{title}</title></path>",
        way.colour
    );
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn cohort(counts: [u64; 7]) -> Cohort {
        let [stayed, gone, otherwise, switched, both, from_elsewhere, new] = counts;
        Cohort {
            stayed,
            gone,
            otherwise,
            switched,
            both,
            from_elsewhere,
            new,
            expected: 3.25,
            population: counts.iter().sum(),
            hosts: Vec::new(),
        }
    }

    fn drawn(counts: [u64; 7], from: &str) -> String {
        let compared = ComparedBehaviors { from, to: "23/tcp", around: date(2009, 3, 11), days: 14 };
        let sensor = SensorCohort { sensor: "I".to_owned(), observed: (14, 14), cohort: cohort(counts) };
        flow_svg(&compared, &[sensor], Theme::Auto)
    }

    /// Returns left edge, right edge, baseline and text of each horizontal text. Widths are estimates.
    fn boxes(svg: &str) -> Vec<(f64, f64, f64, String)> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let texts =
            document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
        texts
            .map(|node| {
                let at = |name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
                let text = node.text().unwrap_or("").to_owned();
                let width = svg::text_width(&text);
                let left =
                    if node.attribute("text-anchor") == Some("end") { at("x") - width } else { at("x") };
                (left, left + width, at("y"), text)
            })
            .collect()
    }

    #[test]
    fn every_number_is_told_and_no_text_lies_over_another() {
        let long = "label:a-name-that-is-longer-than-any-column-of-this-picture-is-wide<b>\u{202e}";
        for (counts, from) in [
            ([1, 1, 1, 2, 1, 0, 1], "445/tcp"),
            ([0; 7], "445/tcp"),
            ([0, 0, 0, 1, 0, 0, 9_000_000], long),
            ([2_000_000, 1, 1, 1, 1, 1, 1], long),
        ] {
            let svg = drawn(counts, from);
            let boxes = boxes(&svg);
            for (at, (left, right, y, text)) in boxes.iter().enumerate() {
                assert!(*left >= 0.0 && *right <= WIDTH, "{text}: {left} to {right}");
                for (other_left, other_right, other_y, other) in &boxes[at + 1..] {
                    let apart = (y - other_y).abs() >= 12.0 || right <= other_left || other_right <= left;
                    assert!(apart, "{text} over {other}");
                }
            }
            let names = ["stayed", "gone", "otherwise", "switched", "both", "from elsewhere", "new"];
            for (hosts, name) in counts.into_iter().zip(names) {
                let label = format!("{} {name}", number_of(hosts));
                assert!(boxes.iter().any(|(.., text)| *text == label), "{label}");
            }
            assert!(!svg.contains("<b>") && !svg.contains('\u{202e}'));
        }
    }
}
