//! Use case: daily totals of captures, without a history.

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::behavior::{Engine, Marks, Profile};
use crate::capture::Input;
use crate::history::{DayCounter, DaySummary};
use crate::packet::{AddressSpace, Clock};
use crate::rules::Rules;

use super::pipeline::{self, Feed};
use super::reading::each_input;
use super::type_assigner::TypeAssigner;
use super::{AppError, CaptureOptions, Notices, parallel};

/// Adds up the windows of captures, which are read as one continuous capture, by UTC day. Windows of logs
/// without times are put on 1970-01-01.
///
/// # Errors
/// When no capture can be read. If some can be read, the others are reported as failures.
pub fn summary(
    inputs: &[Input],
    dark: &[IpNet],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<DaySummary>, AppError> {
    /// Number of parts of the tally that one thread counts in one buffer.
    const PARTS: usize = 16;
    let space = AddressSpace::new(dark, &[]);
    let mut gatherer = TypeAssigner::new(space.clone(), TimeZone::UTC, rules);
    // The packet times within a window serve only tiles, and none is drawn here.
    let mut engine = Engine::new(Profile { trace_packets_max: 0, ..rules.profile.clone() });
    let mut tally = DayCounter::default();
    each_input(inputs, notices, |input, notices| {
        let before = engine.clone();
        let mut part = DayCounter::for_merging();
        let shared = options.for_light_work(input);
        let read = |feed: &mut Feed<'_>| {
            shared.stream(input, &mut |packet, _| {
                if space.contains(packet.destination()) {
                    feed.push(packet, Marks::default());
                }
            })
        };
        let report = match pipeline::run(shared.threads, &mut engine, read, &mut |windows| {
            gatherer.tally(&mut part, windows);
        }) {
            Ok(report) => report,
            Err(error) => {
                engine = before;
                return Err(error.into());
            }
        };
        notices.add_report(input, &report);
        if !report.ordered {
            notices.add(format!("{input}: runs backwards in time; sorted"));
            engine = before;
            part = DayCounter::for_merging();
            let loaded = options.load_to_sort(input, rules)?.0;
            for packet in loaded.packets.iter().filter(|packet| space.contains(packet.destination())) {
                engine.push(packet, Marks::default(), &mut |windows| gatherer.tally(&mut part, windows));
            }
        }
        if report.clock != Clock::Absolute && report.packets > 0 {
            notices.add(format!("{input}: its times have no date"));
        }
        tally.merge(part);
        Ok(())
    })?;
    notices.add_engine(&engine);
    engine.finish(&mut |windows| gatherer.tally(&mut tally, windows));
    if tally.late_windows() > 0 {
        notices.add(format!(
            "{} windows of days that were over: hosts and types of these days may be counted twice",
            tally.late_windows()
        ));
    }
    Ok(tally.finish(|mut parts| {
        parallel::map(options.threads, parts.chunks_mut(PARTS), |parts| {
            let mut room = Vec::new();
            parts.iter_mut().for_each(|part| part.count(&mut room));
        });
    }))
}
