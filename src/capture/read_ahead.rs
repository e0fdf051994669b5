//! Reads a source on a separate thread, ahead of the consumer, so that decompression runs in parallel with
//! decoding.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// Size of one piece, in bytes.
const PIECE_BYTES: usize = 128 * 1024;
/// Number of filled pieces that may be queued before the thread waits: 512 KiB in all.
const PIECES_QUEUED_MAX: usize = 4;

/// The consumer's end of a thread that reads ahead. Yields the bytes of the source in order. Dropping it
/// stops the thread.
pub(super) struct ReadAhead {
    /// Pieces that the thread has read, in order, and the error that ended the source, if any.
    filled: Receiver<io::Result<Vec<u8>>>,
    /// Returns consumed pieces to the thread, which fills them again.
    used: SyncSender<Vec<u8>>,
    /// The piece that is being consumed.
    piece: Vec<u8>,
    /// Offset in `piece` of the next byte to be consumed.
    at: usize,
}

impl ReadAhead {
    /// Starts a thread that reads `source` to its end or to its first error. The error is reported after all
    /// bytes that were read before it.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        source: impl Read + Send + 'scope,
    ) -> ReadAhead {
        let (send, filled) = sync_channel(PIECES_QUEUED_MAX);
        let (used, emptied) = sync_channel(PIECES_QUEUED_MAX);
        scope.spawn(move || read_pieces(source, &send, &emptied));
        ReadAhead { filled, used, piece: Vec::new(), at: 0 }
    }
}

/// Reads `source` until its end, an error, or until the consumer has gone.
fn read_pieces(mut source: impl Read, filled: &SyncSender<io::Result<Vec<u8>>>, emptied: &Receiver<Vec<u8>>) {
    loop {
        let mut piece = emptied.try_recv().unwrap_or_default();
        piece.clear();
        let read = source.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
        let ended = piece.len() < PIECE_BYTES;
        if !piece.is_empty() && filled.send(Ok(piece)).is_err() {
            return;
        }
        if let Err(error) = read {
            // A consumer that has gone does not need the error.
            let _gone = filled.send(Err(error));
            return;
        }
        if ended {
            return;
        }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            // The channel is closed: the thread has sent everything.
            let Ok(next) = self.filled.recv() else { return Ok(0) };
            let read = std::mem::replace(&mut self.piece, next?);
            self.at = 0;
            // If the channel is full, the piece is freed.
            let _full = self.used.try_send(read);
        }
        let rest = &self.piece[self.at..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns a few bytes at a time and then fails.
    struct Breaking {
        left: usize,
    }

    impl Read for Breaking {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Err(io::Error::other("broken off"));
            }
            let count = self.left.min(into.len()).min(1000);
            into[..count].fill(7);
            self.left -= count;
            Ok(count)
        }
    }

    #[test]
    fn all_bytes_come_in_order() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * PIECE_BYTES + 17).collect();
        let mut read = Vec::new();
        std::thread::scope(|scope| ReadAhead::start(scope, bytes.as_slice()).read_to_end(&mut read)).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn an_error_comes_after_what_was_read_before_it() {
        let left = PIECE_BYTES + 5000;
        let mut read = Vec::new();
        let end =
            std::thread::scope(|scope| ReadAhead::start(scope, Breaking { left }).read_to_end(&mut read));
        assert_eq!((end.unwrap_err().to_string().as_str(), read.len()), ("broken off", left));
    }

    #[test]
    fn the_thread_stops_when_nobody_reads_on() {
        std::thread::scope(|scope| {
            let mut ahead = ReadAhead::start(scope, io::repeat(1));
            assert_eq!(ahead.read(&mut [0; 10]).unwrap(), 10);
        });
    }
}
