//! Use case: what captures come to, day by day, without a history.

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::behavior::{Engine, Marks};
use crate::capture::Input;
use crate::event::{AddressSpace, Clock, Packet};
use crate::history::{DaySummary, Tally};
use crate::rules::Rules;

use super::gather::Gatherer;
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
    let mut engine = Engine::new(rules.profile.clone());
    let mut tally = Tally::default();
    for input in inputs {
        let before = engine.clone();
        let mut pass =
            Pass { space: &space, gatherer: &mut gatherer, engine: &mut engine, to: Tally::part() };
        let report = options.stream(input, &mut |packet, _| pass.push(packet))?;
        notices.add_report(input, &report);
        if !report.ordered {
            notices.add(format!("{input}: runs backwards in time; sorted"));
            *pass.engine = before;
            pass.to = Tally::part();
            options.load_marked(input, rules)?.packets.iter().for_each(|packet| pass.push(packet));
        }
        if report.clock != Clock::Absolute && report.packets > 0 {
            notices.add(format!("{input}: its times have no date"));
        }
        tally.merge(pass.to);
    }
    notices.add_engine(&engine);
    engine.finish(&mut |window| gatherer.tally(&mut tally, window));
    if tally.late() > 0 {
        notices.add(format!(
            "{} windows of days that were over: hosts and types of these days may be counted twice",
            tally.late()
        ));
    }
    Ok(tally.finish())
}

struct Pass<'a, 'b> {
    space: &'a AddressSpace,
    gatherer: &'a mut Gatherer<'b>,
    engine: &'a mut Engine,
    to: Tally,
}

impl Pass<'_, '_> {
    fn push(&mut self, packet: &Packet) {
        if self.space.contains(packet.destination) {
            let Pass { gatherer, engine, to, .. } = self;
            engine.push(packet, Marks::default(), &mut |window| gatherer.tally(to, window));
        }
    }
}
