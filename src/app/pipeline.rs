//! Runs reading and windowing on two threads, where there are processors for them. Packets pass from one to
//! the other in order, so that the results are the same, byte for byte.

use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::behavior::{Arrival, Closed, Engine, Marks, OpenWindow};
use crate::capture::CaptureError;
use crate::packet::Packet;

/// Collects packets with their marks, and passes them to the next stage in batches.
pub(super) struct Feed<'a> {
    batch: Vec<Arrival>,
    batch_size: usize,
    /// Takes a full batch, and leaves an empty one in its place.
    send: &'a mut dyn FnMut(&mut Vec<Arrival>),
}

impl<'a> Feed<'a> {
    fn new(full: usize, hand_on: &'a mut dyn FnMut(&mut Vec<Arrival>)) -> Feed<'a> {
        Feed { batch: Vec::with_capacity(full), batch_size: full, send: hand_on }
    }

    #[inline]
    pub(super) fn push(&mut self, packet: &Packet, marks: Marks) {
        self.batch.push(Arrival::of(packet, marks));
        if self.batch.len() == self.batch_size {
            (self.send)(&mut self.batch);
        }
    }

    /// Passes on the last, incomplete batch.
    fn end(mut self) {
        (self.send)(&mut self.batch);
    }
}

/// A callback that receives closed windows, on any thread.
pub(super) type SendableWindowSink<'a> = &'a mut (dyn FnMut(&mut [OpenWindow]) + Send);

/// Number of packets in a batch. With smaller batches, threads wait for each other too often.
const BATCH_PACKETS: usize = 2048;
/// Maximum number of batches that wait for the engine: 1 MiB of packets in all.
const BATCHES_WAITING_MAX: usize = 4;

/// Passes the packets that `read` feeds through `engine`, and the windows that it closes to `closed`.
///
/// With one thread, the caller's thread does everything. With more threads, the caller's thread reads packets,
/// and a second thread runs the engine and processes closed windows.
///
/// # Errors
/// The error of `read`.
pub(super) fn run<T>(
    threads: usize,
    engine: &mut Engine,
    read: impl FnOnce(&mut Feed<'_>) -> Result<T, CaptureError>,
    closed: SendableWindowSink<'_>,
) -> Result<T, CaptureError> {
    if threads < 2 {
        return run_single_threaded(engine, read, closed);
    }
    let (sender, receiver) = sync_channel::<Vec<Arrival>>(BATCHES_WAITING_MAX);
    thread::scope(|scope| {
        let windower = scope.spawn(move || {
            for batch in receiver {
                engine.push_all(&batch, closed);
            }
        });
        let mut send = |batch: &mut Vec<Arrival>| {
            let full = mem::replace(batch, Vec::with_capacity(BATCH_PACKETS));
            // If the receiver is gone, its thread has panicked, which `join` passes on.
            let _gone = sender.send(full);
        };
        let mut feed = Feed::new(BATCH_PACKETS, &mut send);
        let answer = read(&mut feed);
        feed.end();
        drop(sender);
        windower.join().unwrap_or_else(|panic| resume_unwind(panic));
        answer
    })
}

/// Runs all stages on the caller's thread.
///
/// # Errors
/// The error of `read`.
pub(super) fn run_single_threaded<T>(
    engine: &mut Engine,
    read: impl FnOnce(&mut Feed<'_>) -> Result<T, CaptureError>,
    closed: Closed<'_>,
) -> Result<T, CaptureError> {
    let mut take = |batch: &mut Vec<Arrival>| {
        engine.push_all(batch, closed);
        batch.clear();
    };
    let mut feed = Feed::new(Engine::BATCH, &mut take);
    let answer = read(&mut feed);
    feed.end();
    answer
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::behavior::Profile;
    use crate::packet::{Protocol, Timestamp};

    /// Feeds packets of ever new hosts, a tenth of a second apart, and calls `then` after each.
    fn feed(packets: u32, feed: &mut Feed<'_>, mut then: impl FnMut(u32)) -> Result<u32, CaptureError> {
        for at in 0..packets {
            let packet = Packet::new(at.to_be_bytes().into(), [192, 0, 2, 1].into(), Protocol::Udp)
                .with_time(Some(Timestamp(i64::from(at) * 100_000_000)));
            feed.push(&packet, Marks::default());
            then(at);
        }
        Ok(packets)
    }

    #[test]
    fn windows_come_in_order_whatever_the_threads() {
        const BATCH_PACKETS: u32 = 100_000;
        let run = |threads| {
            let mut engine = Engine::new(Profile::default());
            let mut hosts: Vec<IpAddr> = Vec::new();
            let mut note =
                |windows: &mut [OpenWindow]| hosts.extend(windows.iter().map(|window| window.source));
            let fed = run(threads, &mut engine, |to| feed(BATCH_PACKETS, to, |_| {}), &mut note).unwrap();
            assert_eq!(
                (fed, hosts.len() + engine.take_open().len()),
                (BATCH_PACKETS, BATCH_PACKETS as usize)
            );
            hosts
        };
        let alone = run(1);
        assert!(
            alone.iter().copied().eq((0..).map(|at: u32| IpAddr::from(at.to_be_bytes())).take(alone.len()))
        );
        assert!(alone == run(2) && alone == run(3));
    }

    #[test]
    fn a_panic_at_either_end_is_passed_on_and_nobody_waits_forever() {
        const BATCH_PACKETS: u32 = 100_000;
        for threads in 1..=3 {
            for place in [1, BATCH_PACKETS / 2] {
                let reading = catch_unwind(AssertUnwindSafe(|| {
                    let mut engine = Engine::new(Profile::default());
                    let breaks = |at| assert!(at < place, "as it should");
                    run(threads, &mut engine, |to| feed(BATCH_PACKETS, to, breaks), &mut |_| {})
                }));
                let mut closed = 0;
                let closing = catch_unwind(AssertUnwindSafe(|| {
                    let mut engine = Engine::new(Profile::default());
                    run(threads, &mut engine, |to| feed(BATCH_PACKETS, to, |_| {}), &mut |windows| {
                        closed += windows.len();
                        assert!(closed < place as usize, "as it should");
                    })
                }));
                assert!(reading.is_err() && closing.is_err(), "{threads} threads, {place}");
            }
        }
    }
}
