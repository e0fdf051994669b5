//! Reading, windows, and what becomes of closed windows: each on a thread of its own, where there are processors for
//! them. Packets and windows go from one thread to the next in order, so that the results are the same, byte for byte.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::behavior::{Arrival, Closed, Engine, Marks, OpenWindow};
use crate::capture::CaptureError;
use crate::event::Packet;

/// Takes a packet with its marks.
pub(super) type Feed<'a> = &'a mut dyn FnMut(&Packet, Marks);

/// Packets, and windows, that go to the next thread at once. With fewer, threads wake each other too often.
const PACKETS: usize = 2048;
const WINDOWS: usize = 512;
/// Batches that may wait for the next thread: a mebibyte of packets and windows in all.
const WAITING: usize = 4;

/// Passes the packets that `read` feeds through `engine`, and the windows that it closes to `closed`.
///
/// With one thread all is done by the caller's; with more, `read` and the engine have one each, and `closed` is
/// called by the caller's.
///
/// # Errors
/// What `read` answers.
pub(super) fn run<T: Send>(
    threads: usize,
    engine: &mut Engine,
    read: impl FnOnce(Feed<'_>) -> Result<T, CaptureError> + Send,
    closed: Closed<'_>,
) -> Result<T, CaptureError> {
    if threads < 2 {
        return alone(engine, read, closed);
    }
    thread::scope(|scope| {
        let (mut packets_out, packets) = lane();
        let (mut windows_out, windows) = lane();
        let reader = scope.spawn(move || {
            let mut batch: Vec<Arrival> = Vec::new();
            let answer = read(&mut |packet, marks| {
                batch.push(Arrival::of(packet, marks));
                if batch.len() == PACKETS {
                    packets_out.send(&mut batch);
                }
            });
            packets_out.send(&mut batch);
            answer
        });
        let windower = scope.spawn(move || {
            let mut batch = Windows::default();
            packets.each(|packets| {
                engine.push_all(packets, &mut |windows| {
                    windows.iter_mut().for_each(|window| batch.take(window, &mut windows_out));
                });
                packets.clear();
            });
            windows_out.send(&mut batch);
        });
        windows.each(|batch| batch.each(closed));
        windower.join().unwrap_or_else(|panic| resume_unwind(panic));
        reader.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// All of it by one thread.
fn alone<T>(
    engine: &mut Engine,
    read: impl FnOnce(Feed<'_>) -> Result<T, CaptureError>,
    closed: Closed<'_>,
) -> Result<T, CaptureError> {
    /// Few enough to stay in the processor's nearest cache.
    const PACKETS: usize = 256;
    let mut batch: Vec<Arrival> = Vec::with_capacity(PACKETS);
    let answer = read(&mut |packet, marks| {
        batch.push(Arrival::of(packet, marks));
        if batch.len() == PACKETS {
            engine.push_all(&batch, closed);
            batch.clear();
        }
    });
    engine.push_all(&batch, closed);
    answer
}

/// Closed windows on their way. Those behind `used` only have memory that serves again.
#[derive(Default)]
struct Windows {
    windows: Vec<OpenWindow>,
    used: usize,
}

impl Windows {
    /// Takes a window, and leaves one in its place whose memory is free.
    fn take(&mut self, window: &mut OpenWindow, out: &mut Out<Windows>) {
        match self.windows.get_mut(self.used) {
            Some(free) => std::mem::swap(free, window),
            None => self.windows.push(std::mem::take(window)),
        }
        self.used += 1;
        if self.used == WINDOWS {
            out.send(self);
        }
    }

    fn each(&mut self, closed: Closed<'_>) {
        closed(&mut self.windows[..self.used]);
        self.used = 0;
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
    /// Sends a batch and puts an empty one in its place. A receiver that is gone has stopped by a panic, which
    /// whoever joins it passes on.
    fn send(&mut self, batch: &mut T) {
        let empty = self.used.try_recv().unwrap_or_default();
        let _gone = self.full.send(std::mem::replace(batch, empty));
    }
}

impl<T> In<T> {
    fn each(self, mut take: impl FnMut(&mut T)) {
        for mut batch in &self.full {
            take(&mut batch);
            // Nobody fills it again when the other end has stopped.
            let _gone = self.used.try_send(batch);
        }
    }
}
