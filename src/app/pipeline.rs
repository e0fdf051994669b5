//! Runs reading, windowing and the processing of closed windows on several threads, where there are
//! processors for them. Packets and windows pass from stage to stage in order, so that the results are the
//! same, byte for byte.

use std::hint;
use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError, TryLockError};
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

/// Numbers of packets and of windows in a batch. With smaller batches, threads wait for each other too often.
const BATCH_PACKETS: usize = 2048;
const BATCH_WINDOWS: usize = 512;
/// Maximum number of batches that wait for the next stage: 1 MiB of packets and windows in all.
const BATCHES_WAITING_MAX: usize = 4;

/// Passes the packets that `read` feeds through `engine`, and the windows that it closes to `closed`.
///
/// With one thread, the caller's thread does everything. With two threads, the caller's thread reads packets
/// and the second thread runs the engine. A thread that has to wait for the other processes closed windows
/// in the meantime, so that both threads stay busy although reading and the engine take different times.
/// With three or more threads, one thread only processes closed windows.
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
    let (mut packets_out, packets) = batch_channel();
    let (windows_out, windows) = batch_channel();
    let last = &LastStage::new(windows, closed);
    thread::scope(|scope| {
        let windower = scope.spawn(|| make_windows(packets, engine, windows_out, last));
        if threads > 2 {
            scope.spawn(|| last.finish());
        }
        let mut send = |batch: &mut Vec<Arrival>| packets_out.send(batch, || last.try_process_one());
        let mut feed = Feed::new(BATCH_PACKETS, &mut send);
        let answer = read(&mut feed);
        feed.end();
        drop(packets_out);
        last.finish();
        windower.join().unwrap_or_else(|panic| resume_unwind(panic));
        answer
    })
}

/// Runs the engine stage: pushes all packets that arrive, and sends the windows that close.
fn make_windows(
    packets: BatchReceiver<Vec<Arrival>>,
    engine: &mut Engine,
    mut out: BatchSender<ClosedWindowBatch>,
    last: &LastStage<'_>,
) {
    let mut batch = ClosedWindowBatch::default();
    let mut take = |packets: &mut Vec<Arrival>| {
        engine.push_all(packets, &mut |windows| {
            for window in windows {
                if batch.take(window) {
                    out.send(&mut batch, || last.try_process_one());
                }
            }
        });
        packets.clear();
    };
    while packets.take_one(|| last.try_process_one(), &mut take) {}
    out.send(&mut batch, || last.try_process_one());
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
    let mut feed = Feed::new(Engine::AT_ONCE, &mut take);
    let answer = read(&mut feed);
    feed.end();
    answer
}

/// A batch of closed windows. Entries behind `used` are empty windows whose memory is reused.
#[derive(Default)]
struct ClosedWindowBatch {
    windows: Vec<OpenWindow>,
    used: usize,
}

impl ClosedWindowBatch {
    /// Takes a window, and leaves a window with reusable memory in its place. Returns whether the batch is
    /// full.
    fn take(&mut self, window: &mut OpenWindow) -> bool {
        match self.windows.get_mut(self.used) {
            Some(free) => mem::swap(free, window),
            None => self.windows.push(mem::take(window)),
        }
        self.used += 1;
        self.used == BATCH_WINDOWS
    }

    fn drain_into(&mut self, closed: Closed<'_>) {
        closed(&mut self.windows[..self.used]);
        self.used = 0;
    }
}

/// The last stage, which processes windows in order, one thread at a time. While a batch is processed, the
/// lane is taken out, so that after a panic it is dropped and no sender waits for it forever.
struct LastStage<'a>(Mutex<(Option<BatchReceiver<ClosedWindowBatch>>, SendableWindowSink<'a>)>);

impl<'a> LastStage<'a> {
    fn new(windows: BatchReceiver<ClosedWindowBatch>, closed: SendableWindowSink<'a>) -> LastStage<'a> {
        LastStage(Mutex::new((Some(windows), closed)))
    }

    /// Processes a batch, if one waits and no other thread is at work here. Returns whether it did.
    fn try_process_one(&self) -> bool {
        let mut guard = match self.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let (lane, closed) = &mut *guard;
        let Some(windows) = lane.take() else { return false };
        let batch = windows.full.try_recv();
        let helped = batch.is_ok_and(|batch| windows.hand_back(batch, |batch| batch.drain_into(*closed)));
        *lane = Some(windows);
        helped
    }

    /// Processes all batches until the sender is gone.
    fn finish(&self) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (lane, closed) = &mut *guard;
        if let Some(windows) = lane.take() {
            while windows.take_one(|| false, |batch| batch.drain_into(*closed)) {}
        }
    }
}

/// The sending end of a lane.
struct BatchSender<T> {
    full: SyncSender<T>,
    used: Receiver<T>,
}

/// The receiving end of a lane, which returns used batches to the sender to be filled again.
struct BatchReceiver<T> {
    full: Receiver<T>,
    used: SyncSender<T>,
}

fn batch_channel<T>() -> (BatchSender<T>, BatchReceiver<T>) {
    let (full, filled) = sync_channel(BATCHES_WAITING_MAX);
    // Room for all batches that exist, including one at either end, so that none has to be dropped and
    // allocated again.
    let (used, emptied) = sync_channel(BATCHES_WAITING_MAX + 2);
    (BatchSender { full, used: emptied }, BatchReceiver { full: filled, used })
}

impl<T: Default> BatchSender<T> {
    /// Sends `batch` and replaces it with an empty batch. While the channel is full, calls `meanwhile`.
    ///
    /// If the receiver is gone, its thread has panicked, and the batch is dropped. The thread that joins the
    /// receiver's thread then passes the panic on.
    fn send(&mut self, batch: &mut T, meanwhile: impl FnMut() -> bool) {
        let mut full = mem::replace(batch, self.used.try_recv().unwrap_or_default());
        let offer = || match self.full.try_send(mem::take(&mut full)) {
            Err(TrySendError::Full(back)) => {
                full = back;
                None
            }
            Ok(()) | Err(TrySendError::Disconnected(_)) => Some(()),
        };
        if wait(offer, meanwhile).is_none() {
            let _gone = self.full.send(full);
        }
    }
}

impl<T> BatchReceiver<T> {
    /// Receives the next batch, calls `take` with it, and returns it to the sender for reuse. While the
    /// channel is empty, calls `meanwhile`. Returns `false` if the channel is empty and the sender is gone.
    fn take_one(&self, meanwhile: impl FnMut() -> bool, take: impl FnOnce(&mut T)) -> bool {
        let next = || match self.full.try_recv() {
            Ok(batch) => Some(Some(batch)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        };
        let batch = wait(next, meanwhile).unwrap_or_else(|| self.full.recv().ok());
        batch.is_some_and(|batch| self.hand_back(batch, take))
    }

    fn hand_back(&self, mut batch: T, take: impl FnOnce(&mut T)) -> bool {
        take(&mut batch);
        // If the sender has stopped, nobody fills the batch again.
        let _gone = self.used.try_send(batch);
        true
    }
}

/// Calls `attempt` repeatedly until it returns a value, and calls `meanwhile` after each failed attempt.
/// `meanwhile` does other work and returns `false` if there was none.
///
/// Returns `None` after about 0.1 ms without other work; the caller should then block. Repeated attempts come
/// first because waking a blocked thread takes longer than most waits.
fn wait<T>(mut attempt: impl FnMut() -> Option<T>, mut meanwhile: impl FnMut() -> bool) -> Option<T> {
    /// Number of attempts without other work: about 0.1 ms.
    const ATTEMPTS_MAX: u32 = 2000;
    let mut looks = 0;
    while looks < ATTEMPTS_MAX {
        let done = attempt();
        if done.is_some() {
            return done;
        }
        looks = if meanwhile() { 0 } else { looks + 1 };
        hint::spin_loop();
    }
    None
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
        const PACKETS: u32 = 100_000;
        let run = |threads| {
            let mut engine = Engine::new(Profile::default());
            let mut hosts: Vec<IpAddr> = Vec::new();
            let mut note =
                |windows: &mut [OpenWindow]| hosts.extend(windows.iter().map(|window| window.source));
            let fed = run(threads, &mut engine, |to| feed(PACKETS, to, |_| {}), &mut note).unwrap();
            assert_eq!((fed, hosts.len() + engine.take_open().len()), (PACKETS, PACKETS as usize));
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
        const PACKETS: u32 = 100_000;
        for threads in 1..=3 {
            for place in [1, PACKETS / 2] {
                let reading = catch_unwind(AssertUnwindSafe(|| {
                    let mut engine = Engine::new(Profile::default());
                    let breaks = |at| assert!(at < place, "as it should");
                    run(threads, &mut engine, |to| feed(PACKETS, to, breaks), &mut |_| {})
                }));
                let mut closed = 0;
                let closing = catch_unwind(AssertUnwindSafe(|| {
                    let mut engine = Engine::new(Profile::default());
                    run(threads, &mut engine, |to| feed(PACKETS, to, |_| {}), &mut |windows| {
                        closed += windows.len();
                        assert!(closed < place as usize, "as it should");
                    })
                }));
                assert!(reading.is_err() && closing.is_err(), "{threads} threads, {place}");
            }
        }
    }
}
