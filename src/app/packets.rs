//! Use case: lists the packets of captures, with their class where a victim is given.

use crate::capture::{self, Input};
use crate::packet::{Clock, Packet};
use crate::rules::Rules;
use crate::sample::{PacketClass, Traffic};

use super::reading::each_input;
use super::{AppError, CaptureOptions, Notices, sandbox};

pub use super::sandbox::Victims;

/// A packet with its context.
#[derive(Clone, Debug)]
pub struct ListedPacket<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// How the capture's times are to be understood.
    pub clock: Clock,
    /// The packet's class; `None` if it was not sent by a victim.
    pub class: Option<PacketClass>,
}

/// Passes every packet of several captures to `sink`, one capture after the other, as [`capture_packets`] does.
///
/// # Errors
/// As [`capture_packets`], when no capture can be read. If some can be read, the others are reported as failures.
pub fn all_packets(
    inputs: &[Input],
    victims: &Victims,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    sink: &mut dyn FnMut(ListedPacket<'_>) -> Result<(), AppError>,
) -> Result<(), AppError> {
    each_input(inputs, notices, |input, notices| {
        capture_packets(input, victims, options, rules, notices, sink)
    })
}

/// Passes every packet of a capture to `sink`. Without a victim, packets are streamed in their own order, and
/// the clock is determined from the head of the capture. With a victim, the whole capture is read first, and
/// its packets come in time order.
///
/// # Errors
/// When the capture cannot be read or no victim can be determined, and the error of `sink`.
pub fn capture_packets(
    input: &Input,
    victims: &Victims,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    sink: &mut dyn FnMut(ListedPacket<'_>) -> Result<(), AppError>,
) -> Result<(), AppError> {
    if *victims == Victims::None {
        return stream(input, options, notices, sink);
    }
    let marked = options.load_capture(input, rules)?;
    notices.add_left_out(input, &marked);
    let victims = sandbox::victims_of(victims, input, &marked, rules, notices)?.unwrap_or_default();
    let infrastructure = |packet: &Packet| rules.infrastructure_rule(packet).map(str::to_owned);
    let traffic = Traffic::from_packets(&marked.packets, &victims, &[], &marked.names, &infrastructure);
    for (index, packet) in marked.packets.iter().enumerate() {
        sink(ListedPacket { packet, clock: marked.report.clock, class: traffic.classify(index, packet) })?;
    }
    notices.add_report(input, &marked.report);
    Ok(())
}

fn stream(
    input: &Input,
    options: &CaptureOptions,
    notices: &mut Notices,
    sink: &mut dyn FnMut(ListedPacket<'_>) -> Result<(), AppError>,
) -> Result<(), AppError> {
    // The first lines of a log show how its times are to be understood, whereas the reader reports this only
    // at the end.
    let clock = capture::read_head(input, &options.read, &mut |_, _| {})?.clock;
    let mut failed = None;
    let report = options.stream(input, &mut |packet, _| {
        if failed.is_none() {
            failed = sink(ListedPacket { packet, clock, class: None }).err();
        }
    })?;
    notices.add_report(input, &report);
    failed.map_or(Ok(()), Err)
}
