//! Use case: names the windows of captures.

use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;

use crate::behavior::{Engine, OpenWindow};
use crate::capture::Input;
use crate::packet::{AddressSpace, Clock, Packet};
use crate::rules::{Namer, Rules};
use crate::sample::{PacketClass, Traffic};

use super::packets::Victims;
use super::pipeline::{self, Feed};
use super::reading::each_input;
use super::{AppError, CaptureOptions, Notices, parallel, sandbox};

/// Selects packets.
#[derive(Clone, Debug)]
pub struct PacketFilter {
    /// If victims are given, only their scan events count.
    pub victims: Victims,
    /// Only packets to these prefixes count, and destinations are ranked within them; if empty, all packets
    /// count.
    pub dark: Vec<IpNet>,
}

/// Makes a result of closed windows, which it may take; the clock says how their times are to be understood.
/// It is called on any thread, since naming and formatting millions of windows takes longer than reading
/// their packets.
pub type WindowRenderer<'a, T> = &'a (dyn Fn(&mut Namer<'_>, &mut [OpenWindow], Clock) -> T + Sync);

/// Calls `render` with the windows of captures and passes the results to `sink`, in the order in which the
/// windows close. The captures are read as one continuous capture.
///
/// A capture is read twice, because only its end shows whether it runs backwards and must be sorted first.
/// Two kinds of captures are held in memory: a capture that runs backwards, and a sandbox capture, of which
/// only the packets of victims count. Other captures are streamed.
///
/// # Errors
/// When no capture can be read, a victim cannot be determined in any, or `sink` returns an error.
pub fn fingerprints<T: Send>(
    inputs: &[Input],
    selection: &PacketFilter,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    make: WindowRenderer<'_, T>,
    sink: &mut dyn FnMut(T) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let space = AddressSpace::new(&selection.dark, &[]);
    let telling = WindowBatcher {
        rules,
        space: &space,
        idle_namers: Mutex::default(),
        threads: options.threads,
        waiting: Vec::new(),
        probes: 0,
        clock: Clock::None,
        render: make,
        sink,
        failed: None,
    };
    let mut run = FingerprintRun { engine: Engine::new(rules.profile.clone()), batcher: telling };
    each_input(inputs, notices, |input, notices| match &selection.victims {
        Victims::None => run.stream(input, options, notices),
        victims => run.load(input, victims, options, notices),
    })?;
    let FingerprintRun { engine, batcher: mut telling } = run;
    notices.add_engine(&engine);
    engine.finish(&mut |windows| telling.take(windows));
    telling.end()
}

struct FingerprintRun<'a, T> {
    engine: Engine,
    batcher: WindowBatcher<'a, T>,
}

impl<T: Send> FingerprintRun<'_, T> {
    fn stream(
        &mut self,
        input: &Input,
        options: &CaptureOptions,
        notices: &mut Notices,
    ) -> Result<(), AppError> {
        let found = options.without_progress().stream(input, &mut |_, _| {})?;
        if !found.ordered {
            return self.load(input, &Victims::None, options, notices);
        }
        let FingerprintRun { engine, batcher: telling } = self;
        let (rules, space) = (telling.rules, telling.space);
        telling.clock = found.clock;
        let read = |feed: &mut Feed<'_>| {
            options.stream(input, &mut |packet, payload| {
                if space.contains(packet.destination()) {
                    feed.push(packet, rules.marks(packet, payload));
                }
            })
        };
        let report = pipeline::run_single_threaded(engine, read, &mut |windows| telling.take(windows))?;
        notices.add_report(input, &report);
        telling.end()
    }

    fn load(
        &mut self,
        input: &Input,
        victims: &Victims,
        options: &CaptureOptions,
        notices: &mut Notices,
    ) -> Result<(), AppError> {
        let FingerprintRun { engine, batcher: telling } = self;
        let (rules, space) = (telling.rules, telling.space);
        let marked = match victims {
            Victims::None => options.load_to_sort(input, rules)?.0,
            _ => options.load_capture(input, rules)?,
        };
        notices.add_left_out(input, &marked);
        notices.add_report(input, &marked.report);
        if !marked.report.ordered {
            notices.add(format!("{input}: runs backwards in time; sorted"));
        }
        telling.clock = marked.report.clock;
        let victims = sandbox::victims_of(victims, input, &marked, rules, notices)?;
        let infrastructure = |packet: &Packet| rules.infrastructure_rule(packet).map(str::to_owned);
        let traffic = victims.as_deref().map(|victims| {
            Traffic::from_packets(&marked.packets, victims, &[], &marked.names, &infrastructure)
        });
        for (index, (packet, marks)) in marked.packets.iter().zip(&marked.marks).enumerate() {
            let counts = traffic
                .as_ref()
                .is_none_or(|traffic| traffic.classify(index, packet) == Some(PacketClass::Scan));
            if counts && space.contains(packet.destination()) {
                engine.push(packet, *marks, &mut |windows| telling.take(windows));
            }
        }
        telling.end()
    }
}

/// Collects closed windows into batches, and shares each batch among threads.
struct WindowBatcher<'a, T> {
    rules: &'a Rules,
    space: &'a AddressSpace,
    /// Namers that no thread uses at the moment.
    idle_namers: Mutex<Vec<Namer<'a>>>,
    threads: usize,
    waiting: Vec<OpenWindow>,
    /// Number of probes of the waiting windows.
    probes: usize,
    clock: Clock,
    render: WindowRenderer<'a, T>,
    sink: &'a mut dyn FnMut(T) -> Result<(), AppError>,
    failed: Option<AppError>,
}

impl<T: Send> WindowBatcher<'_, T> {
    fn take(&mut self, windows: &mut [OpenWindow]) {
        const WINDOWS_MAX: usize = 4096;
        const PROBES_MAX: usize = 1 << 18;
        for window in windows {
            self.probes += window.probes.len();
            self.waiting.push(std::mem::take(window));
            if self.waiting.len() >= WINDOWS_MAX || self.probes >= PROBES_MAX {
                self.process_batch();
            }
        }
    }

    fn process_batch(&mut self) {
        /// Number of windows that a thread takes at a time.
        const WINDOWS_PER_TASK: usize = 64;
        let WindowBatcher {
            rules,
            space,
            idle_namers: idle,
            threads,
            waiting,
            probes,
            clock,
            render: make,
            sink,
            failed,
        } = self;
        let idle: &Mutex<_> = idle;
        let make_few = |windows: &mut [OpenWindow]| {
            let known = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut namer = known.unwrap_or_else(|| Namer::new(rules, space));
            let made = make(&mut namer, windows, *clock);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(namer);
            made
        };
        if failed.is_none() {
            let made = parallel::map(*threads, waiting.chunks_mut(WINDOWS_PER_TASK), make_few);
            *failed = made.into_iter().try_for_each(&mut **sink).err();
        }
        waiting.clear();
        *probes = 0;
    }

    /// Processes the waiting windows, and returns the first error so far.
    fn end(&mut self) -> Result<(), AppError> {
        self.process_batch();
        self.failed.take().map_or(Ok(()), Err)
    }
}
