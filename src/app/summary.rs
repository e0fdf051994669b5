//! Use case: what captures come to, day by day, without a history.

use std::sync::{Mutex, PoisonError};
use std::thread;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::behavior::{Engine, Marks, Profile};
use crate::capture::Input;
use crate::event::{AddressSpace, Clock};
use crate::history::{DaySummary, Tally, TallyPart};
use crate::rules::Rules;

use super::gather::Gatherer;
use super::pipeline::{self, Feed};
use super::{AppError, CaptureOptions, Notices};

/// Adds up the windows of captures, which are read as one after the other; days are those of UTC. Windows of logs
/// without times are put on 1970-01-01.
///
/// # Errors
/// When a capture cannot be read.
pub fn summary(
    inputs: &[Input],
    dark: &[IpNet],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<DaySummary>, AppError> {
    let space = AddressSpace::new(dark, &[]);
    let mut gatherer = Gatherer::new(space.clone(), TimeZone::UTC, rules);
    // Times within a window serve its tile, and nobody draws one here.
    let mut engine = Engine::new(Profile { trace_packets_max: 0, ..rules.profile.clone() });
    let mut tally = Tally::default();
    for input in inputs {
        let before = engine.clone();
        let mut part = Tally::part();
        let shared = options.with_little_to_do(input);
        let read = |feed: Feed<'_>| {
            shared.stream(input, &mut |packet, _| {
                if space.contains(packet.destination()) {
                    feed(packet, Marks::default());
                }
            })
        };
        let report = pipeline::run(shared.threads, &mut engine, read, &mut |windows| {
            gatherer.tally(&mut part, windows);
        })?;
        notices.add_report(input, &report);
        if !report.ordered {
            notices.add(format!("{input}: runs backwards in time; sorted"));
            engine = before;
            part = Tally::part();
            let loaded = options.load_marked(input, rules)?;
            for packet in loaded.packets.iter().filter(|packet| space.contains(packet.destination())) {
                engine.push(packet, Marks::default(), &mut |windows| gatherer.tally(&mut part, windows));
            }
        }
        if report.clock != Clock::Absolute && report.packets > 0 {
            notices.add(format!("{input}: its times have no date"));
        }
        tally.merge(part);
    }
    notices.add_engine(&engine);
    engine.finish(&mut |windows| gatherer.tally(&mut tally, windows));
    if tally.late() > 0 {
        notices.add(format!(
            "{} windows of days that were over: hosts and types of these days may be counted twice",
            tally.late()
        ));
    }
    Ok(tally.finish(|parts| count(parts, options.threads)))
}

/// Counts parts on so many threads, each of which takes the next one that is left.
fn count(parts: Vec<&mut TallyPart>, threads: usize) {
    let left = Mutex::new(parts.into_iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut room = Vec::new();
        std::iter::from_fn(next).for_each(|part| part.count(&mut room));
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
}
