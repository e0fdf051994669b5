//! Listens, accepts connections within limits, and ends in order on a signal.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

use crate::app::AppError;
use crate::app::watch::OwnNetwork;
use crate::rules::Rules;

use super::live_feed::feed;
use super::request::Server;
use super::router::router;

/// Maximum number of open connections. Further ones wait until one is closed.
const CONNECTIONS_MAX: usize = 256;
/// Maximum size of a request's head in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Maximum number of header fields of a request.
const HEADERS_MAX: usize = 64;
/// Maximum time in which a client sends the head of a request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Time that running requests have to finish after a signal to end.
const END_TIME_MAX: Duration = Duration::from_secs(10);
/// Threads that wait for sockets. Questions to the history run on other threads.
const SOCKET_THREADS: usize = 2;

/// What `inga serve` serves, and where.
pub struct ServeOptions {
    /// The folder of the history.
    pub history: PathBuf,
    /// The address to listen on. Port 0 lets the system choose a port.
    pub listen: SocketAddr,
    /// The rules.
    pub rules: Rules,
    /// The operator's own networks, whose hosts are shown first.
    pub own_networks: Vec<OwnNetwork>,
}

/// Serves the page until the process is told to end (SIGTERM or SIGINT). `ready` is called with the address once
/// connections are accepted.
///
/// # Errors
/// When the address is not a loopback address, it cannot be listened on, or the history cannot be read.
pub fn serve(options: ServeOptions, ready: &mut dyn FnMut(SocketAddr)) -> Result<(), AppError> {
    let ServeOptions { history, listen, rules, own_networks } = options;
    if !listen.ip().is_loopback() {
        return Err(AppError::Usage(format!(
            "--listen {listen} can be reached from other machines, and the page knows no users yet; listen on 127.0.0.1, \
             and reach it through SSH (ssh -L 8080:127.0.0.1:{} HOST)",
            listen.port()
        )));
    }
    let failed = |error: std::io::Error| AppError::Usage(format!("cannot listen on {listen}: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SOCKET_THREADS)
        .enable_all()
        .build()
        .map_err(failed)?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ends = (
            signal(SignalKind::terminate()).map_err(failed)?,
            signal(SignalKind::interrupt()).map_err(failed)?,
        );
        let server = Arc::new(Server::new(history, address, rules, own_networks)?);
        ready(address);
        let feed = tokio::spawn(feed(Arc::clone(&server)));
        accept(&listener, server, ends).await;
        feed.abort();
        Ok(())
    });
    runtime.shutdown_timeout(END_TIME_MAX);
    served
}

/// Accepts connections until a signal arrives, and then waits for the running requests.
async fn accept(
    listener: &TcpListener,
    server: Arc<Server>,
    (mut terminate, mut interrupt): (Signal, Signal),
) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    http.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let running = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let service = TowerToHyperService::new(router(Arc::clone(&server)));
    loop {
        let next = async {
            let permit = Arc::clone(&free).acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let mut next = pin!(next);
        // Waits for a connection or a signal, whichever comes first.
        let accepted = poll_fn(|context| {
            if terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready() {
                return Poll::Ready(None);
            }
            next.as_mut().poll(context)
        });
        let Some((permit, accepted)) = accepted.await else { break };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: the next connection may find one again.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        let connection = running.watch(connection);
        tokio::spawn(async move {
            // A client that closes its connection early is no fault of the server.
            let _closed = connection.await;
            drop(permit);
        });
    }
    server.live.close();
    let _late = tokio::time::timeout(END_TIME_MAX, running.shutdown()).await;
}
