//! Packed sightings of a long capture wait in a temporary file, not in memory, until all of it is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use crate::history::Spill;

/// A file without a name in the system's folder for temporary files (`TMPDIR`): it is gone when this is, or the process.
#[derive(Debug, Default)]
pub(super) struct SpillFile(Mutex<Option<File>>);

impl Spill for SpillFile {
    fn write(&self, bytes: &[u8]) -> io::Result<u64> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let place = file.seek(SeekFrom::End(0))?;
        file.write_all(bytes)?;
        Ok(place)
    }

    fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_mut().ok_or_else(|| io::Error::other("nothing was written"))?;
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_where_it_was_put() {
        let spill = SpillFile::default();
        assert!(spill.read(0, &mut [0]).is_err());
        let places = [b"one".as_slice(), b"", b"three"].map(|bytes| spill.write(bytes).unwrap());
        assert_eq!(places, [0, 3, 3]);
        let mut bytes = [0; 5];
        spill.read(places[2], &mut bytes).unwrap();
        assert_eq!(&bytes, b"three");
        assert!(spill.read(7, &mut bytes).is_err());
    }
}
