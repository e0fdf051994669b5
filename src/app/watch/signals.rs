//! Signals of the system, and messages to systemd.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::AppError;

/// What signals asked for.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to take SIGTERM and SIGINT (stop) and SIGHUP (read the file again). A second SIGTERM or SIGINT ends
    /// the process at once, which harms nothing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> Result<Signals, AppError> {
        let signals = Signals::default();
        let failed = |error: std::io::Error| AppError::Usage(format!("signals cannot be taken: {error}"));
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            // The first one sets the flag; one that comes while the flag is set ends the process.
            let already = Arc::clone(&signals.stop);
            signal_hook::flag::register_conditional_shutdown(signal, 1, already).map_err(failed)?;
            signal_hook::flag::register(signal, Arc::clone(&signals.stop)).map_err(failed)?;
        }
        #[cfg(unix)]
        signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&signals.reload))
            .map_err(failed)?;
        Ok(signals)
    }

    /// Returns whether the process shall stop.
    #[must_use]
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns whether the file shall be read again, once for each time that it was asked for.
    #[must_use]
    pub fn reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}

/// Sends a message to the service manager, if it asked for messages (`sd_notify`). A failure is ignored, as there is
/// nobody else to tell.
#[cfg(target_os = "linux")]
pub(super) fn notify_manager(message: &str) {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let bytes = name.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(message.as_bytes(), &address);
    }
}

/// Does nothing: other systems have no such service manager.
#[cfg(not(target_os = "linux"))]
pub(super) fn notify_manager(_message: &str) {}
