//! Use case: what captures come to, day by day, without a history.

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::behavior::{Engine, Marks, OpenWindow};
use crate::capture::Input;
use crate::event::{AddressSpace, Clock, Packet, Timestamp};
use crate::history::{DaySummary, Gathering};
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
    let mut gathered = Gathering::default();
    for input in inputs {
        let before = (engine.clone(), gathered.mark());
        let mut pass =
            Pass { space: &space, gatherer: &mut gatherer, engine: &mut engine, to: &mut gathered };
        let report = options.stream(input, &mut |packet, _| pass.push(packet))?;
        notices.add_report(input, &report);
        if !report.ordered {
            notices.add(format!("{input}: runs backwards in time; sorted"));
            let sorted = options.load_marked(input, rules)?;
            *pass.engine = before.0;
            pass.to.roll_back(before.1);
            sorted.packets.iter().for_each(|packet| pass.push(packet));
        }
        if report.clock != Clock::Absolute && report.packets > 0 {
            notices.add(format!("{input}: its times have no date"));
        }
    }
    for window in engine.take_open() {
        gatherer.add(&mut gathered, &timed(window));
    }
    Ok(gathered.finish().summary().map_err(crate::store::StoreError::from)?)
}

struct Pass<'a, 'b> {
    space: &'a AddressSpace,
    gatherer: &'a mut Gatherer<'b>,
    engine: &'a mut Engine,
    to: &'a mut Gathering,
}

impl Pass<'_, '_> {
    fn push(&mut self, packet: &Packet) {
        if self.space.contains(packet.destination) {
            let Pass { gatherer, engine, to, .. } = self;
            engine.push(packet, Marks::default(), &mut |window| gatherer.add(to, &timed(window)));
        }
    }
}

fn timed(mut window: OpenWindow) -> OpenWindow {
    window.start = window.start.or(Some(Timestamp(0)));
    window.end = window.end.or(window.start);
    window
}
