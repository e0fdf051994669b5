//! A live capture on standard input, such as that of `tcpdump -w -`.

use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::app::AppError;
use crate::capture::Input;

/// Length of the header of a pcap file.
const HEADER: usize = 24;
/// Maximum length of a record; a longer one is damage.
const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Maximum number of bytes that wait to be fed. Reading stops meanwhile, and the recorder counts what it loses.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A live capture, which a thread of its own reads.
pub(super) struct LiveCapture {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    taken: Condvar,
}

#[derive(Default)]
struct Waiting {
    header: Vec<u8>,
    /// Complete records.
    records: Vec<u8>,
    has_ended: bool,
    error: Option<String>,
}

/// What a live capture brought since it was asked last.
pub(super) struct LivePart {
    /// The records, as a capture; `None` if there is no new one.
    pub(super) input: Option<Input>,
    /// Whether the capture has ended.
    pub(super) has_ended: bool,
    /// Why it ended, unless it was complete.
    pub(super) error: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveCapture {
    /// Begins to read a capture.
    pub(super) fn start(source: impl Read + Send + 'static) -> LiveCapture {
        let shared = Arc::new(Shared::default());
        let reader = Arc::clone(&shared);
        // The thread is not joined: it may wait for input forever.
        thread::spawn(move || {
            let error = read_records(source, &reader).err();
            let mut waiting = reader.lock();
            waiting.has_ended = true;
            waiting.error = error.map(|error| error.to_string());
        });
        LiveCapture { shared }
    }

    /// Takes the records that have come.
    ///
    /// # Errors
    /// When they cannot be written to a temporary file.
    pub(super) fn take(&self) -> Result<LivePart, AppError> {
        let mut waiting = self.shared.lock();
        let records = std::mem::take(&mut waiting.records);
        let part = LivePart { input: None, has_ended: waiting.has_ended, error: waiting.error.take() };
        let header = waiting.header.clone();
        drop(waiting);
        self.shared.taken.notify_all();
        if records.is_empty() {
            return Ok(part);
        }
        let input = Input::spooled("-".to_owned(), io::Cursor::new(header).chain(&records[..]))?;
        Ok(LivePart { input: Some(input), ..part })
    }
}

/// Reads records until the source ends.
fn read_records(mut source: impl Read, shared: &Shared) -> io::Result<()> {
    let mut header = [0; HEADER];
    source.read_exact(&mut header)?;
    let magic: [u8; 4] = [header[0], header[1], header[2], header[3]];
    let is_magic = |word: u32| matches!(word, 0xa1b2_c3d4 | 0xa1b2_3c4d);
    let little_endian = is_magic(u32::from_le_bytes(magic));
    if !little_endian && !is_magic(u32::from_be_bytes(magic)) {
        return Err(io::Error::other("standard input is no pcap; give it the output of `tcpdump -U -w -`"));
    }
    shared.lock().header = header.to_vec();
    let mut record = Vec::new();
    while read_record(&mut source, little_endian, &mut record)? {
        let mut waiting = shared.lock();
        while waiting.records.len() > WAITING_BYTES_MAX {
            waiting = shared.taken.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.records.extend(&record);
    }
    Ok(())
}

/// Reads a record with its header, and returns whether there was one. A record that is cut at the end of the source is
/// left out.
fn read_record(source: &mut impl Read, little_endian: bool, record: &mut Vec<u8>) -> io::Result<bool> {
    record.resize(16, 0);
    if !read_all(source, record)? {
        return Ok(false);
    }
    let length: [u8; 4] = [record[8], record[9], record[10], record[11]];
    let length = if little_endian { u32::from_le_bytes(length) } else { u32::from_be_bytes(length) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > RECORD_BYTES_MAX {
        return Err(io::Error::other("a record is damaged"));
    }
    record.resize(16 + length, 0);
    read_all(source, &mut record[16..])
}

fn read_all(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match source.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
