//! Use case: the windows of a capture, fingerprinted.

use ipnet::IpNet;

use crate::behavior::{Engine, Marks};
use crate::capture::Input;
use crate::event::{AddressSpace, Clock, Packet};
use crate::rules::{NamedWindow, Rules};
use crate::sample::{Class, Traffic};

use super::events::Victims;
use super::{AppError, CaptureOptions, Notices, sandbox};

/// Which packets count.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Of these hosts only, and of theirs only scan events.
    pub victims: Victims,
    /// To these prefixes only, ranked within them; empty for all.
    pub dark: Vec<IpNet>,
}

/// Fingerprints the windows of captures, which are read as one after the other. Hands on each window as it
/// closes.
///
/// # Errors
/// When a capture cannot be read or no victim can be told; and what `sink` answers.
pub fn fingerprints(
    inputs: &[Input],
    selection: &Selection,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    sink: &mut dyn FnMut(NamedWindow) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let mut run = Run {
        rules,
        space: AddressSpace::new(&selection.dark, &[]),
        engine: Engine::new(rules.profile.clone()),
        clock: Clock::None,
        failed: None,
        sink,
    };
    for input in inputs {
        run.capture(input, selection, options, notices)?;
    }
    run.finish(notices)
}

struct Run<'a> {
    rules: &'a Rules,
    space: AddressSpace,
    engine: Engine,
    clock: Clock,
    failed: Option<AppError>,
    sink: &'a mut dyn FnMut(NamedWindow) -> Result<(), AppError>,
}

impl Run<'_> {
    fn capture(
        &mut self,
        input: &Input,
        selection: &Selection,
        options: &CaptureOptions,
        notices: &mut Notices,
    ) -> Result<(), AppError> {
        let marked = options.load_marked(input, self.rules)?;
        notices.add_report(input, &marked.report);
        if !marked.report.ordered {
            notices.add(format!("{input}: runs backwards in time; sorted"));
        }
        self.clock = marked.report.clock;
        let victims = match &selection.victims {
            Victims::None => None,
            Victims::Given(addresses) => Some(addresses.clone()),
            Victims::Auto => Some(sandbox::victims_of(input, &marked, self.rules, notices)?),
        };
        let rules = self.rules;
        let plumbing = |packet: &Packet| rules.plumbing(packet).map(str::to_owned);
        let traffic = victims
            .as_deref()
            .map(|victims| Traffic::of(&marked.packets, victims, &[], &marked.names, &plumbing));
        for (index, (packet, marks)) in marked.packets.iter().zip(&marked.marks).enumerate() {
            let counts =
                traffic.as_ref().is_none_or(|traffic| traffic.class(index, packet) == Some(Class::Scan));
            if counts && self.space.contains(packet.destination()) {
                self.push(packet, *marks);
            }
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn push(&mut self, packet: &Packet, marks: Marks) {
        let Run { rules, space, engine, clock, failed, sink } = self;
        engine.push(packet, marks, &mut |windows| {
            if failed.is_none() {
                let mut named = windows.iter().map(|window| rules.name(window.clone(), space, *clock));
                *failed = named.try_for_each(&mut *sink).err();
            }
        });
    }

    fn finish(self, notices: &mut Notices) -> Result<(), AppError> {
        let Run { rules, space, engine, clock, mut failed, sink } = self;
        notices.add_engine(&engine);
        engine.finish(&mut |windows| {
            if failed.is_none() {
                let mut named = windows.iter().map(|window| rules.name(window.clone(), &space, clock));
                failed = named.try_for_each(&mut *sink).err();
            }
        });
        failed.map_or(Ok(()), Err)
    }
}
