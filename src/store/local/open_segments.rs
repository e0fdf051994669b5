//! A cache of open segments.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::store::StoreError;

use super::catalog::SegmentEntry;
use super::segment::Segment;
use super::table::SegmentTable;

/// Maximum number of segments that are kept open. More could exceed the limit of open files per process.
const OPEN_MAX: usize = 200;

/// Open segments by path. When [`OPEN_MAX`] segments are open, the next one empties the cache.
#[derive(Debug, Default)]
pub(super) struct OpenSegments(RefCell<HashMap<String, Arc<Segment>>>);

impl OpenSegments {
    /// Returns a segment of the history in `folder`, and opens it if necessary.
    pub(super) fn get(
        &self,
        folder: &Path,
        listed: &SegmentEntry,
        table: &'static SegmentTable,
    ) -> Result<Arc<Segment>, StoreError> {
        let mut open = self.0.borrow_mut();
        if let Some(segment) = open.get(&listed.path) {
            return Ok(Arc::clone(segment));
        }
        let path = folder.join(&listed.path);
        let segment = Segment::open(&path, table, &listed.facts).map_err(|error| match error {
            StoreError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                StoreError::Damaged(format!("segment {} is missing", crate::escape::path(&path)))
            }
            other => other,
        })?;
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        let segment = Arc::new(segment);
        open.insert(listed.path.clone(), Arc::clone(&segment));
        Ok(segment)
    }

    /// Closes the segments whose paths `is_kept` does not accept.
    pub(super) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        self.0.borrow_mut().retain(|path, _| is_kept(path));
    }

    /// Closes a segment.
    pub(super) fn close(&self, path: &str) {
        self.0.borrow_mut().remove(path);
    }
}
