//! Reading, windows, and what becomes of closed windows, shared among threads where there are processors for them. Packets
//! and windows go from one stage to the next in order, so that the results are the same, byte for byte.

use std::hint;
use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::thread;

use crate::behavior::{Arrival, Closed, Engine, Marks, OpenWindow};
use crate::capture::CaptureError;
use crate::event::Packet;

/// Takes packets with their marks, and hands them on as many at once.
pub(super) struct Feed<'a> {
    batch: Vec<Arrival>,
    full: usize,
    /// Takes a batch, and leaves an empty one.
    hand_on: &'a mut dyn FnMut(&mut Vec<Arrival>),
}

impl<'a> Feed<'a> {
    fn new(full: usize, hand_on: &'a mut dyn FnMut(&mut Vec<Arrival>)) -> Feed<'a> {
        Feed { batch: Vec::with_capacity(full), full, hand_on }
    }

    #[inline]
    pub(super) fn push(&mut self, packet: &Packet, marks: Marks) {
        self.batch.push(Arrival::of(packet, marks));
        if self.batch.len() == self.full {
            (self.hand_on)(&mut self.batch);
        }
    }

    /// Hands on the last ones.
    fn end(mut self) {
        (self.hand_on)(&mut self.batch);
    }
}

/// Takes closed windows, on whatever thread.
pub(super) type ClosedAnywhere<'a> = &'a mut (dyn FnMut(&mut [OpenWindow]) + Send);

/// Packets, and windows, that go to the next stage at once. With fewer, threads wait for each other too often.
const PACKETS: usize = 2048;
const WINDOWS: usize = 512;
/// Batches that may wait for the next stage: a mebibyte of packets and windows in all.
const WAITING: usize = 4;

/// Passes the packets that `read` feeds through `engine`, and the windows that it closes to `closed`.
///
/// With one thread all is done by the caller's. With two the caller's reads and another one has the engine, and whichever
/// of them would have to wait for the other takes closed windows further meanwhile: two stages that are not equally long,
/// and a third one that fills the gaps. With more there is one that does nothing else.
///
/// # Errors
/// What `read` answers.
pub(super) fn run<T>(
    threads: usize,
    engine: &mut Engine,
    read: impl FnOnce(&mut Feed<'_>) -> Result<T, CaptureError>,
    closed: ClosedAnywhere<'_>,
) -> Result<T, CaptureError> {
    if threads < 2 {
        return alone(engine, read, closed);
    }
    let (mut packets_out, packets) = lane();
    let (windows_out, windows) = lane();
    let last = &Last::new(windows, closed);
    thread::scope(|scope| {
        let windower = scope.spawn(|| make_windows(packets, engine, windows_out, last));
        if threads > 2 {
            scope.spawn(|| last.finish());
        }
        let mut send = |batch: &mut Vec<Arrival>| packets_out.send(batch, || last.help());
        let mut feed = Feed::new(PACKETS, &mut send);
        let answer = read(&mut feed);
        feed.end();
        drop(packets_out);
        last.finish();
        windower.join().unwrap_or_else(|panic| resume_unwind(panic));
        answer
    })
}

/// The stage between: all packets that come in, and what windows they close.
fn make_windows(packets: In<Vec<Arrival>>, engine: &mut Engine, mut out: Out<Windows>, last: &Last<'_>) {
    let mut batch = Windows::default();
    let mut take = |packets: &mut Vec<Arrival>| {
        engine.push_all(packets, &mut |windows| {
            for window in windows {
                if batch.take(window) {
                    out.send(&mut batch, || last.help());
                }
            }
        });
        packets.clear();
    };
    while packets.take_one(|| last.help(), &mut take) {}
    out.send(&mut batch, || last.help());
}

/// All of it by the caller's thread.
///
/// # Errors
/// What `read` answers.
pub(super) fn alone<T>(
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

/// Closed windows on their way. Those behind `used` only have memory that serves again.
#[derive(Default)]
struct Windows {
    windows: Vec<OpenWindow>,
    used: usize,
}

impl Windows {
    /// Takes a window, and leaves one in its place whose memory is free. Answers whether it can take no more.
    fn take(&mut self, window: &mut OpenWindow) -> bool {
        match self.windows.get_mut(self.used) {
            Some(free) => mem::swap(free, window),
            None => self.windows.push(mem::take(window)),
        }
        self.used += 1;
        self.used == WINDOWS
    }

    fn each(&mut self, closed: Closed<'_>) {
        closed(&mut self.windows[..self.used]);
        self.used = 0;
    }
}

/// The last stage: windows in their order, by one thread at a time. The lane is gone where somebody panicked at it, so that
/// nobody waits for room in it forever.
struct Last<'a>(Mutex<(Option<In<Windows>>, ClosedAnywhere<'a>)>);

impl<'a> Last<'a> {
    fn new(windows: In<Windows>, closed: ClosedAnywhere<'a>) -> Last<'a> {
        Last(Mutex::new((Some(windows), closed)))
    }

    /// Takes a batch further, if there is one and nobody else is at it; answers whether it did.
    fn help(&self) -> bool {
        let mut guard = match self.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let (lane, closed) = &mut *guard;
        let Some(windows) = lane.take() else { return false };
        let batch = windows.full.try_recv();
        let helped = batch.is_ok_and(|batch| windows.hand_back(batch, |batch| batch.each(*closed)));
        *lane = Some(windows);
        helped
    }

    /// Takes all batches further that there ever will be.
    fn finish(&self) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (lane, closed) = &mut *guard;
        if let Some(windows) = lane.take() {
            while windows.take_one(|| false, |batch| batch.each(*closed)) {}
        }
    }
}

/// The end of a lane that batches go in at.
struct Out<T> {
    full: SyncSender<T>,
    used: Receiver<T>,
}

/// The end that they come out at, and are handed back from to be filled again.
struct In<T> {
    full: Receiver<T>,
    used: SyncSender<T>,
}

fn lane<T>() -> (Out<T>, In<T>) {
    let (full, filled) = sync_channel(WAITING);
    // Room for all that there ever are, one more at either end among them: none is given up, and made anew later.
    let (used, emptied) = sync_channel(WAITING + 2);
    (Out { full, used: emptied }, In { full: filled, used })
}

impl<T: Default> Out<T> {
    /// Sends a batch and puts an empty one in its place; does something else while there is no room. A receiver that is
    /// gone has stopped by a panic, which whoever joins it passes on.
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

impl<T> In<T> {
    /// Takes the next batch, and hands it back; does something else while there is none. Answers whether there was one, or
    /// else there never will be.
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
        // Nobody fills it again when the other end has stopped.
        let _gone = self.used.try_send(batch);
        true
    }
}

/// Tries something until it is done, and something else in between. `None` when there was nothing else for a while: it is
/// time to sleep, but not at once, since to be woken takes longer than most waits.
fn wait<T>(mut attempt: impl FnMut() -> Option<T>, mut meanwhile: impl FnMut() -> bool) -> Option<T> {
    /// Some tenth of a millisecond.
    const LOOKS: u32 = 2000;
    let mut looks = 0;
    while looks < LOOKS {
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
    use crate::event::{Protocol, Timestamp};

    /// Feeds packets of ever new hosts, a tenth of a second apart, until something else happens.
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
