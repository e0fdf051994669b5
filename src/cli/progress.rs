//! A bar on long reads, where standard error is a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::CaptureOptions;
use crate::capture::Input;

/// Shows how much of some captures has been read, until it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    watcher: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    /// Begins to watch; the options' counter tells how far reading is.
    pub(super) fn watch(inputs: &[Input], options: &mut CaptureOptions) -> Progress {
        let bytes = inputs.iter().map(Input::stored_bytes).sum();
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        if bar.is_hidden() {
            return Progress { bar, watcher: None };
        }
        if let Ok(style) =
            ProgressStyle::with_template("{bar:32} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
        {
            bar.set_style(style);
        }
        let counter = Arc::new(AtomicU64::new(0));
        options.read.progress = Some(Arc::clone(&counter));
        let watched = bar.clone();
        let watcher = std::thread::spawn(move || {
            while !watched.is_finished() {
                watched.set_position(counter.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Progress { bar, watcher: Some(watcher) }
    }
}

impl Progress {
    /// Writes something else while no bar is in the way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(watcher) = self.watcher.take() {
            // A bar that failed is no reason for the work to fail.
            let _ = watcher.join();
        }
    }
}
