//! Use case: one event a packet read, with its class where a victim is given.

use std::net::IpAddr;

use crate::capture::{self, Input};
use crate::event::{Clock, Packet};
use crate::rules::Rules;
use crate::sample::{Class, Traffic};

use super::reading::each_input;
use super::{AppError, CaptureOptions, Notices, sandbox};

/// Whose packets to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Victims {
    /// All hosts alike.
    None,
    /// These addresses.
    Given(Vec<IpAddr>),
    /// The victim that the capture shows: the address that is in every packet, or the host that begins most contacts.
    Auto,
}

/// One packet with what is known about it.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// What the capture's times mean, as far as it is known by now.
    pub clock: Clock,
    /// Its class; only for packets of a victim.
    pub class: Option<Class>,
}

/// Passes on every packet of some captures, one capture after the other, as [`events`] does.
///
/// # Errors
/// As [`events`], when no capture can be read. If some can be read, the others are reported as failures.
pub fn all_events(
    inputs: &[Input],
    victims: &Victims,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    sink: &mut dyn FnMut(Event<'_>) -> Result<(), AppError>,
) -> Result<(), AppError> {
    each_input(inputs, notices, |input, notices| events(input, victims, options, rules, notices, sink))
}

/// Hands on every packet of a capture: streamed as it stands, or, where a victim is asked for, in time order after
/// the whole capture was read. Without a victim the clock is told from the packet and the options alone.
///
/// # Errors
/// When the capture cannot be read or no victim can be told; and what `sink` answers.
pub fn events(
    input: &Input,
    victims: &Victims,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    sink: &mut dyn FnMut(Event<'_>) -> Result<(), AppError>,
) -> Result<(), AppError> {
    if *victims == Victims::None {
        return stream(input, options, notices, sink);
    }
    let marked = options.load_marked(input, rules)?;
    notices.add_left_out(input, &marked);
    let victims = sandbox::victims_of(victims, input, &marked, rules, notices)?.unwrap_or_default();
    let plumbing = |packet: &Packet| rules.plumbing(packet).map(str::to_owned);
    let traffic = Traffic::of(&marked.packets, &victims, &[], &marked.names, &plumbing);
    for (index, packet) in marked.packets.iter().enumerate() {
        sink(Event { packet, clock: marked.report.clock, class: traffic.class(index, packet) })?;
    }
    notices.add_report(input, &marked.report);
    Ok(())
}

fn stream(
    input: &Input,
    options: &CaptureOptions,
    notices: &mut Notices,
    sink: &mut dyn FnMut(Event<'_>) -> Result<(), AppError>,
) -> Result<(), AppError> {
    // What a log's times mean shows in its first lines; the reader says so at the end only.
    let clock = capture::head(input, &options.read, &mut |_, _| {})?.clock;
    let mut failed = None;
    let report = options.stream(input, &mut |packet, _| {
        if failed.is_none() {
            failed = sink(Event { packet, clock, class: None }).err();
        }
    })?;
    notices.add_report(input, &report);
    failed.map_or(Ok(()), Err)
}
