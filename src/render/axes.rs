//! The axes of a tile: the places of its two panels, and the places of ports and addresses on them.

use std::net::IpAddr;

use crate::history::ExamplePacket;

use super::svg;

pub(super) const PANEL_TOP: f64 = 44.0;
pub(super) const PANEL_BOTTOM: f64 = 284.0;
pub(super) const LEFT: (f64, f64) = (72.0, 282.0);
pub(super) const RIGHT: (f64, f64) = (358.0, 568.0);
/// Pixels left free at the top and bottom of a panel, so that no point lies on an axis.
pub(super) const MARGIN: f64 = 12.0;

/// A vertical axis of ports. Up to [`LABELLED_MAX`] different ports are spaced evenly, and each has a label;
/// more ports are drawn to scale. Packets without a port lie on a row of their own at the bottom.
pub(super) struct PortAxis {
    /// Distinct ports in ascending order.
    ports: Vec<u16>,
    has_portless: bool,
}

/// Maximum number of different ports that each get a label.
const LABELLED_MAX: usize = 6;

impl PortAxis {
    pub(super) fn from_ports(ports: impl Iterator<Item = Option<u16>>) -> PortAxis {
        let mut none = false;
        let mut known: Vec<u16> = Vec::new();
        for port in ports {
            match port {
                Some(port) => known.push(port),
                None => none = true,
            }
        }
        known.sort_unstable();
        known.dedup();
        PortAxis { ports: known, has_portless: none }
    }

    fn bottom(&self) -> f64 {
        PANEL_BOTTOM - MARGIN - if self.has_portless && !self.ports.is_empty() { 24.0 } else { 0.0 }
    }

    pub(super) fn y(&self, port: Option<u16>) -> f64 {
        let (Some(port), Some(first), Some(last)) = (port, self.ports.first(), self.ports.last()) else {
            return if self.ports.is_empty() {
                f64::midpoint(PANEL_TOP, PANEL_BOTTOM)
            } else {
                PANEL_BOTTOM - MARGIN
            };
        };
        let share = if self.ports.len() <= LABELLED_MAX {
            let at = self.ports.iter().position(|known| *known == port).unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "at most six")]
            let share = (at as f64 + 0.5) / self.ports.len() as f64;
            share
        } else {
            f64::from(port - first) / f64::from((last - first).max(1))
        };
        let top = PANEL_TOP + MARGIN;
        self.bottom() - share * (self.bottom() - top)
    }

    pub(super) fn ticks(&self, out: &mut String, x: f64, anchor: &str, aside: f64) {
        let mut tick = |y: f64, label: &str| {
            svg::line(out, "axis", (x, y), (x + aside.signum() * 4.0, y));
            svg::text(out, x + aside + aside.signum(), y + 4.0, anchor, "", label);
        };
        if self.has_portless {
            tick(self.y(None), "none");
        }
        let Some((first, last)) = self.ports.first().zip(self.ports.last()) else { return };
        if self.ports.len() <= LABELLED_MAX {
            self.ports.iter().for_each(|port| tick(self.y(Some(*port)), &port.to_string()));
            return;
        }
        for quarter in 0..=4u32 {
            let port = u32::from(*first) + u32::from(last - first) * quarter / 4;
            let port = u16::try_from(port).unwrap_or(*last);
            tick(self.y(Some(port)), &port.to_string());
        }
    }
}

/// A horizontal axis of destination addresses, drawn to scale.
pub(super) struct AddressAxis {
    first: Option<IpAddr>,
    last: Option<IpAddr>,
    count: usize,
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

impl AddressAxis {
    pub(super) fn from_packets(packets: &[ExamplePacket]) -> AddressAxis {
        let mut all: Vec<IpAddr> = packets.iter().map(|packet| packet.destination).collect();
        all.sort_unstable();
        all.dedup();
        AddressAxis { first: all.first().copied(), last: all.last().copied(), count: all.len() }
    }

    #[expect(clippy::cast_precision_loss, reason = "places in a picture")]
    pub(super) fn x(&self, address: IpAddr) -> f64 {
        let (first, last) = (self.first.map_or(0, value), self.last.map_or(0, value));
        let share = match last.saturating_sub(first) {
            0 => 0.5,
            span => value(address).saturating_sub(first) as f64 / span as f64,
        };
        RIGHT.0 + MARGIN / 2.0 + share * (RIGHT.1 - RIGHT.0 - MARGIN)
    }

    pub(super) fn ticks(&self, out: &mut String) {
        let y = PANEL_BOTTOM + 17.0;
        match (self.first, self.last) {
            (Some(first), Some(last)) if first != last => {
                svg::text(out, RIGHT.0, y, "start", "", &first.to_string());
                let lower = if first.is_ipv6() { 16.0 } else { 0.0 };
                svg::text(out, RIGHT.1, y + lower, "end", "", &last.to_string());
            }
            (Some(only), _) => {
                svg::text(out, f64::midpoint(RIGHT.0, RIGHT.1), y, "middle", "", &only.to_string())
            }
            _ => {}
        }
        let title = match self.count {
            0 | 1 => "destination address".to_owned(),
            count => format!("destination address ({count})"),
        };
        svg::text(out, f64::midpoint(RIGHT.0, RIGHT.1), PANEL_BOTTOM + 36.0, "middle", "soft", &title);
    }
}
