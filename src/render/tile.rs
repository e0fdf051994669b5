//! The tile: the window of one host as a picture (nicter report 2009, figures 2, 6, 7, 9 and 10).
//!
//! The left half shows time against source port, the right half destination address against destination port.
//! One line per packet connects the packet's points in both halves. A sweep thus looks like a fan, and a
//! retry adds a second line to the same point on the right.

use std::collections::HashSet;
use std::fmt::Write;
use std::io;

use crate::history::ExamplePacket;

use super::answer::{Answer, Format};
use super::axes::{AddressAxis, LEFT, MARGIN, PANEL_BOTTOM, PANEL_TOP, PortAxis, RIGHT};
use super::svg::{self, Theme, cut, number, wrapped};

/// Maximum number of packets that are drawn of a window; more could not be distinguished.
const PACKETS_MAX: usize = 2_000;
const WIDTH: f64 = 640.0;
const LEGEND_TOP: f64 = 344.0;
const LEGEND_LINE: f64 = 17.0;

/// The contents of a tile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tile {
    /// Title.
    pub title: String,
    /// Packets in time order.
    pub packets: Vec<ExamplePacket>,
    /// Number of packets of the window, including those that are not drawn.
    pub packets_total: u64,
    /// Length of the time axis in seconds.
    pub window_seconds: u32,
    /// Whether the packets have no times. The axis then shows their order.
    pub synthetic_time: bool,
    /// Names and values of parameters and labels, which are written below the picture.
    pub legend: Vec<(String, String)>,
}

/// One tile, or two tiles side by side with the differences of their windows.
pub enum TilePicture {
    /// One tile.
    One(Tile),
    /// The left and the right tile, and the differences in words.
    Pair(Tile, Tile, Vec<String>),
}

impl Answer for TilePicture {
    const FORMATS: &'static [Format] = &[Format::Svg, Format::Png];

    fn svg(&self, theme: Theme) -> io::Result<String> {
        Ok(match self {
            TilePicture::One(tile) => tile_svg(tile, theme),
            TilePicture::Pair(left, right, differences) => tile_pair_svg(left, right, differences, theme),
        })
    }
}

/// Draws a tile.
#[must_use]
pub fn tile_svg(tile: &Tile, theme: Theme) -> String {
    let height = LEGEND_TOP + LEGEND_LINE * lines(tile) + 8.0;
    let mut out = String::new();
    svg::open(&mut out, (WIDTH, height), &tile.title, &description(tile), theme);
    draw(&mut out, tile);
    out.push_str("</svg>\n");
    out
}

/// Draws two tiles side by side, with their differences below.
#[must_use]
pub(super) fn tile_pair_svg(left: &Tile, right: &Tile, differences: &[String], theme: Theme) -> String {
    let legends = LEGEND_TOP + LEGEND_LINE * lines(left).max(lines(right)) + 12.0;
    let differences: Vec<String> =
        differences.iter().flat_map(|difference| wrapped(difference, 2.0 * WIDTH - LEFT.0 - 16.0)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
    let height = legends + LEGEND_LINE * differences.len() as f64 + 8.0;
    let mut out = String::new();
    let title = format!("{} beside {}", left.title, right.title);
    let description = format!("{} {}", description(left), description(right));
    svg::open(&mut out, (2.0 * WIDTH, height), &title, &description, theme);
    out.push_str("<g>");
    draw(&mut out, left);
    let _ = write!(out, "</g>\n<g transform=\"translate({WIDTH:.0} 0)\">");
    draw(&mut out, right);
    out.push_str("</g>\n");
    for (place, difference) in (0u32..).zip(differences) {
        let y = legends + LEGEND_LINE * f64::from(place);
        svg::text(&mut out, LEFT.0, y, "start", "", &difference);
    }
    out.push_str("</svg>\n");
    out
}

fn description(tile: &Tile) -> String {
    let facts: Vec<String> = tile.legend.iter().map(|(key, value)| format!("{key} {value}")).collect();
    format!("{} packets. {}.", tile.packets_total, facts.join(", "))
}

fn lines(tile: &Tile) -> f64 {
    f64::from(u32::try_from(tile.legend.len()).unwrap_or(u32::MAX)) + if is_cut(tile) { 2.0 } else { 1.0 }
}

fn is_cut(tile: &Tile) -> bool {
    tile.packets_total > drawn(tile).len() as u64
}

fn drawn(tile: &Tile) -> &[ExamplePacket] {
    &tile.packets[..tile.packets.len().min(PACKETS_MAX)]
}

fn draw(out: &mut String, tile: &Tile) {
    svg::text(out, LEFT.0, 22.0, "start", "title", &tile.title);
    let packets = drawn(tile);
    let source = PortAxis::from_ports(packets.iter().map(|packet| packet.source_port));
    let destination = PortAxis::from_ports(packets.iter().map(|packet| packet.destination_port));
    let address = AddressAxis::from_packets(packets);
    frames(out, tile);
    source.ticks(out, LEFT.0, "end", -6.0);
    destination.ticks(out, RIGHT.1, "start", 6.0);
    svg::vertical_text(out, 18.0, f64::midpoint(PANEL_TOP, PANEL_BOTTOM), "source port");
    svg::vertical_text(out, WIDTH - 8.0, f64::midpoint(PANEL_TOP, PANEL_BOTTOM), "destination port");
    address.ticks(out);
    let opacity = if packets.len() > 400 {
        0.12
    } else if packets.len() > 60 {
        0.3
    } else {
        0.6
    };
    let _ = writeln!(out, "<g opacity=\"{opacity}\">");
    let places: Vec<[f64; 4]> = packets
        .iter()
        .enumerate()
        .map(|(order, packet)| {
            let time = time_share(tile, packets.len(), order, packet.offset_micros);
            let x1 = LEFT.0 + MARGIN / 2.0 + time * (LEFT.1 - LEFT.0 - MARGIN);
            [
                x1,
                source.y(packet.source_port),
                address.x(packet.destination),
                destination.y(packet.destination_port),
            ]
        })
        .collect();
    for [x1, y1, x2, y2] in &places {
        let _ = writeln!(out, "<polyline class=\"probe\" points=\"{x1:.1},{y1:.1} {x2:.1},{y2:.1}\"/>");
    }
    out.push_str("</g>\n<g class=\"dot\">\n");
    for [x1, y1, x2, y2] in &places {
        let _ = writeln!(
            out,
            "<circle cx=\"{x1:.1}\" cy=\"{y1:.1}\" r=\"2\"/><circle cx=\"{x2:.1}\" cy=\"{y2:.1}\" r=\"2\"/>"
        );
    }
    out.push_str("</g>\n");
    legend(out, tile);
}

/// Returns the place of a packet on the time axis, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn time_share(tile: &Tile, count: usize, order: usize, micros: u32) -> f64 {
    if tile.synthetic_time {
        return order as f64 / (count.max(2) - 1) as f64;
    }
    (f64::from(micros) / 1e6 / f64::from(tile.window_seconds.max(1))).min(1.0)
}

fn frames(out: &mut String, tile: &Tile) {
    for (left, right) in [LEFT, RIGHT] {
        let (width, height) = (right - left, PANEL_BOTTOM - PANEL_TOP);
        let _ = writeln!(
            out,
            "<rect class=\"axis\" x=\"{left:.1}\" y=\"{PANEL_TOP:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }
    let middle = f64::midpoint(LEFT.0, LEFT.1);
    if tile.synthetic_time {
        svg::text(
            out,
            middle,
            PANEL_BOTTOM + 36.0,
            "middle",
            "soft",
            "order of packets (the log has no times)",
        );
        return;
    }
    for third in [0.0, 1.0, 2.0, 3.0] {
        let x = LEFT.0 + MARGIN / 2.0 + (LEFT.1 - LEFT.0 - MARGIN) * third / 3.0;
        svg::line(out, "axis", (x, PANEL_BOTTOM), (x, PANEL_BOTTOM + 4.0));
        let seconds = number(f64::from(tile.window_seconds) * third / 3.0);
        svg::text(out, x, PANEL_BOTTOM + 17.0, "middle", "", &seconds);
    }
    svg::text(out, middle, PANEL_BOTTOM + 36.0, "middle", "soft", "time since first packet [s]");
}

fn legend(out: &mut String, tile: &Tile) {
    let mut y = LEGEND_TOP;
    for (key, value) in tile.legend.iter().chain(&[packets(tile)]) {
        svg::text(out, LEFT.0, y, "start", "soft", key);
        let x = LEFT.0 + 132.0;
        svg::text(out, x, y, "start", "", &cut(value, WIDTH - x - 4.0));
        y += LEGEND_LINE;
    }
    if is_cut(tile) {
        let note = format!("first {} of {} packets drawn", drawn(tile).len(), number_of(tile.packets_total));
        svg::text(out, LEFT.0, y, "start", "soft", &note);
    }
}

/// Returns the legend's entry for packets: their number, and the number of drawn packets whose destination
/// address and port an earlier packet had.
fn packets(tile: &Tile) -> (String, String) {
    let places = drawn(tile).iter().map(|packet| (packet.destination, packet.destination_port));
    let again = drawn(tile).len() - places.collect::<HashSet<_>>().len();
    let total = number_of(tile.packets_total);
    let retries = if again == 0 {
        String::new()
    } else {
        format!(", {} to a port asked before", number_of(again as u64))
    };
    ("packets".to_owned(), format!("{total}{retries}"))
}

#[expect(clippy::cast_precision_loss, reason = "a count for people")]
fn number_of(count: u64) -> String {
    number(count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;

    fn figure_8() -> Tile {
        let packet = |at: u8| ExamplePacket {
            offset_micros: u32::from(at) * 100_000,
            source_port: Some(1061 + u16::from(at)),
            destination: [192, 0, 0, 14 + at].into(),
            destination_port: Some(445),
            protocol: Protocol::Tcp,
            flags: None,
        };
        Tile {
            title: "<script>&".to_owned(),
            packets: (0..18).map(packet).collect(),
            packets_total: 18,
            window_seconds: 30,
            synthetic_time: false,
            legend: vec![("label".to_owned(), "\"quoted\" \u{1b}".to_owned())],
        }
    }

    fn count(svg: &str, name: &str) -> usize {
        let document = roxmltree::Document::parse(svg).unwrap();
        document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))).count()
    }

    #[test]
    fn a_line_a_packet_and_nothing_unescaped() {
        let svg = tile_svg(&figure_8(), Theme::Auto);
        assert_eq!(count(&svg, "polyline"), 18);
        assert_eq!(count(&svg, "script"), 0);
    }

    #[test]
    fn a_pair_has_both_and_what_differs() {
        let bare = ExamplePacket {
            source_port: None,
            destination_port: None,
            destination: [1; 4].into(),
            offset_micros: 0,
            protocol: Protocol::Icmp,
            flags: None,
        };
        let empty = Tile { window_seconds: 30, ..Tile::default() };
        let pair = tile_pair_svg(
            &figure_8(),
            &Tile { packets: vec![bare], packets_total: 1, ..empty.clone() },
            &["a < b".to_owned()],
            Theme::Auto,
        );
        assert_eq!(count(&pair, "polyline"), 19);
        assert!(!pair.contains("asked before"));
        let twice = Tile { packets: vec![bare; 3], packets_total: 3, ..empty.clone() };
        assert!(tile_svg(&twice, Theme::Auto).contains("3, 2 to a port asked before"));
        assert!(pair.contains("a &lt; b"));
        assert_eq!(count(&tile_svg(&empty, Theme::Auto), "polyline"), 0);
    }

    #[test]
    fn too_many_packets_are_said() {
        let mut tile = figure_8();
        tile.packets = std::iter::repeat_n(tile.packets[0], 5_000).collect();
        tile.packets_total = 9_000;
        let svg = tile_svg(&tile, Theme::Auto);
        assert_eq!(count(&svg, "polyline"), PACKETS_MAX);
        assert!(svg.contains("first 2000 of 9,000 packets drawn"));
    }
}
