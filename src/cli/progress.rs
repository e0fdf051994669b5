//! A progress bar for long reads, shown only if standard error is a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::CaptureOptions;
use crate::capture::Input;

/// Shows how many bytes of the captures have been read, until it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    watcher: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    /// Starts the progress bar of these captures. The reader reports its progress through the counter in
    /// `options`.
    pub(super) fn watch(inputs: &[Input], options: &mut CaptureOptions) -> Progress {
        let bytes = inputs.iter().map(Input::stored_bytes).sum();
        // The bar hides itself if standard error is not a terminal.
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

/// Shows how many of a number of things are done, until it is dropped.
pub(super) struct CountProgress(ProgressBar);

impl CountProgress {
    pub(super) fn new() -> CountProgress {
        // The bar hides itself if standard error is not a terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos} of {len}, {eta} left") {
            bar.set_style(style);
        }
        CountProgress(bar)
    }

    /// Shows that `done` of `all` things are done.
    pub(super) fn show(&self, done: usize, all: usize) {
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for CountProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress {
    /// Runs `write` while the bar is hidden, so that its output does not mix with the bar.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(watcher) = self.watcher.take() {
            // A failure of the bar must not make the command fail.
            let _ = watcher.join();
        }
    }
}
