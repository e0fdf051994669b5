//! Rows that take a while to make, made ahead of whoever writes them: SQLite takes them on one thread.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::store::StoreError;

/// Takes a row further.
pub(super) type Put<'a, T> = &'a mut dyn FnMut(T) -> Result<(), StoreError>;

/// Writes all rows that are made, in their order; with several threads, one of them makes some ahead. A row can stand for
/// several small ones, each of which would not be worth handing over.
pub(super) fn ahead<T: Send>(
    threads: usize,
    make: impl FnOnce(Put<'_, T>) -> Result<(), StoreError> + Send,
    mut write: impl FnMut(T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const WAITING: usize = 8;
    if threads < 2 {
        return make(&mut write);
    }
    thread::scope(|scope| {
        let (send, made) = sync_channel(WAITING);
        // Whoever is gone has met an error, which is the one that is told.
        let gone = || StoreError::Backend("rows that nobody writes".to_owned());
        let maker = scope.spawn(move || make(&mut |row| send.send(row).map_err(|_| gone())));
        let written = made.iter().try_for_each(write);
        drop(made);
        written.and(maker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_order_and_the_first_error_is_told() {
        let error = |text: &str| Err(StoreError::Backend(text.to_owned()));
        for threads in [1, 2] {
            let mut written = Vec::new();
            let write = |row| {
                written.push(row);
                Ok(())
            };
            ahead(threads, |put| (0..100).try_for_each(put), write).unwrap();
            assert!(written.into_iter().eq(0..100), "{threads}");
            let refused = ahead(
                threads,
                |put| (0..100).try_for_each(put),
                |row| if row == 7 { error("full") } else { Ok(()) },
            );
            assert_eq!(refused.unwrap_err().to_string(), error("full").unwrap_err().to_string());
            let unmade = ahead(threads, |put| put(1).and_then(|()| error("none")), |_| Ok(()));
            assert_eq!(unmade.unwrap_err().to_string(), error("none").unwrap_err().to_string());
        }
    }
}
