//! Sends alerts to programs, web hooks and syslog. What cannot be sent is kept in the history and tried again.

use std::io::{self, Write};
use std::net::{ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::app::AppError;
use crate::incident::{Alert, Delivery};
use crate::packet::Timestamp;
use crate::store::AlertStore;

use super::mute::AlertMute;
use super::syslog::{SyslogFormat, messages};

/// Time that a program may take.
const PROGRAM_TIME: Duration = Duration::from_secs(20);
/// Time that a web hook may take.
const HOOK_TIME: Duration = Duration::from_secs(10);

/// The receivers of alerts, as the configuration names them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertSettings {
    /// The receivers.
    #[serde(default)]
    pub receivers: Vec<AlertReceiver>,
    /// Alerts that are not sent until a given day.
    #[serde(default)]
    pub mutes: Vec<AlertMute>,
}

/// A receiver of alerts, with exactly one of `exec`, `webhook` and `syslog`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertReceiver {
    /// Its name. The history keeps unsent alerts under this name.
    pub name: String,
    /// A program with its arguments. It reads a line of JSON on standard input; another exit code than 0 is a failure.
    #[serde(default)]
    pub exec: Option<Vec<String>>,
    /// An address (URL) to which JSON is posted.
    #[serde(default)]
    pub webhook: Option<String>,
    /// A file with the secret by which posts are signed (HMAC-SHA256).
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// `HOST:PORT` (UDP), or the path of a socket such as `/dev/log`.
    #[serde(default)]
    pub syslog: Option<String>,
    /// The form of the text of messages of syslog [default: text].
    #[serde(default)]
    pub syslog_format: Option<SyslogFormat>,
}

impl AlertReceiver {
    /// Checks the meaning of the values. An error has the key that it is about.
    pub(in crate::app::watch) fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |key, message: &str| Err((key, message.to_owned()));
        let ways = [self.exec.is_some(), self.webhook.is_some(), self.syslog.is_some()];
        if ways.into_iter().filter(|way| *way).count() != 1 {
            return wrong("name", "give exactly one of exec, webhook and syslog");
        }
        if self.exec.as_ref().is_some_and(Vec::is_empty) {
            return wrong("exec", "is empty; name a program, and its arguments");
        }
        if self.secret_file.is_some() && self.webhook.is_none() {
            return wrong("secret_file", "only a webhook is signed");
        }
        if let Some(url) = &self.webhook {
            if url.starts_with("https://") && !cfg!(feature = "tls") {
                return wrong("webhook", "this inga has no TLS; build it with `--features tls`");
            }
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return wrong("webhook", "must begin with https:// or http://");
            }
        }
        let is_address = |text: &String| text.starts_with('/') || text.rsplit_once(':').is_some();
        if self.syslog.as_ref().is_some_and(|text| !is_address(text)) {
            return wrong("syslog", "must be HOST:PORT, or the path of a socket such as /dev/log");
        }
        if self.syslog_format.is_some() && self.syslog.is_none() {
            return wrong("syslog_format", "only syslog has forms");
        }
        Ok(())
    }

    fn send(&self, delivery: &Delivery) -> io::Result<()> {
        if let Some(program) = &self.exec {
            run_program(program, &body(delivery)?)
        } else if let Some(url) = &self.webhook {
            self.post(url, delivery)
        } else if let Some(address) = &self.syslog {
            send_syslog(address, &delivery.alerts, self.syslog_format.unwrap_or_default())
        } else {
            Ok(())
        }
    }

    fn post(&self, url: &str, delivery: &Delivery) -> io::Result<()> {
        let body = body(delivery)?;
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(HOOK_TIME)).build().into();
        let mut request = agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("User-Agent", concat!("inga/", env!("CARGO_PKG_VERSION")))
            .header("X-Inga-Delivery", delivery.id.to_string());
        if let Some(path) = &self.secret_file {
            let secret = std::fs::read(path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", crate::escape::path(path)))
            })?;
            request = request.header("X-Inga-Signature", signature(secret.trim_ascii(), &body)?);
        }
        request.send(&body[..]).map(drop).map_err(io::Error::other)
    }
}

/// What a program or web hook receives.
#[derive(Serialize)]
struct BodyJson<'a> {
    summary: String,
    alerts: &'a [Alert],
}

fn body(delivery: &Delivery) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let alerts = &delivery.alerts;
    crate::escape::json_line(&mut body, &BodyJson { summary: summary(alerts), alerts })?;
    Ok(body)
}

/// Returns one sentence for alerts that are sent together: the message of a single alert, or the number of alerts by
/// kind.
fn summary(alerts: &[Alert]) -> String {
    if let [only] = alerts {
        return only.message.clone();
    }
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for alert in alerts {
        match kinds.iter_mut().find(|(word, _)| *word == alert.kind.word()) {
            Some((_, count)) => *count += 1,
            None => kinds.push((alert.kind.word(), 1)),
        }
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(word, count)| format!("{count} × {word}")).collect();
    format!("{} alerts: {}", alerts.len(), kinds.join(", "))
}

/// Returns the value of the header by which a receiver checks that inga sent a body: `sha256=` and the HMAC in
/// hexadecimal digits.
fn signature(secret: &[u8], body: &[u8]) -> io::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(io::Error::other)?;
    mac.update(body);
    Ok(format!("sha256={}", crate::escape::hex(&mac.finalize().into_bytes())))
}

/// Runs a program with a body on its standard input. It is ended after [`PROGRAM_TIME`].
fn run_program(program: &[String], body: &[u8]) -> io::Result<()> {
    let (name, arguments) = program.split_first().ok_or_else(|| io::Error::other("no program"))?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A program that reads nothing closes the pipe, which is its right.
        let _ = input.write_all(body);
    }
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) };
        }
        if begun.elapsed() > PROGRAM_TIME {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the program did not end in time"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn send_syslog(address: &str, alerts: &[Alert], format: SyslogFormat) -> io::Result<()> {
    let lines = messages(alerts, &summary(alerts), format);
    if address.starts_with('/') {
        return send_to_socket(address, &lines);
    }
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let to = address.to_socket_addrs()?.next().ok_or_else(unknown)?;
    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    lines.iter().try_for_each(|line| socket.send_to(line.as_bytes(), to).map(drop))
}

#[cfg(unix)]
fn send_to_socket(path: &str, lines: &[String]) -> io::Result<()> {
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    lines.iter().try_for_each(|line| socket.send_to(line.as_bytes(), path).map(drop))
}

#[cfg(not(unix))]
fn send_to_socket(_path: &str, _lines: &[String]) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no such sockets"))
}

/// Sends everything that is due to `receivers`, and calls `log` with what failed. A delivery to a receiver that is no
/// longer named is dropped.
///
/// # Errors
/// When the store fails.
pub(in crate::app::watch) fn send_due(
    store: &mut dyn AlertStore,
    receivers: &[AlertReceiver],
    at: Timestamp,
    log: &mut dyn FnMut(String),
) -> Result<(), AppError> {
    for delivery in store.deliveries()? {
        let Some(receiver) = receivers.iter().find(|one| one.name == delivery.receiver) else {
            log(format!("receiver {} is not named any more; alerts for it are dropped", delivery.receiver));
            store.remove_delivery(delivery.id)?;
            continue;
        };
        if delivery.next > at {
            continue;
        }
        match receiver.send(&delivery) {
            Ok(()) => store.remove_delivery(delivery.id)?,
            Err(error) => match delivery.after_failure(at) {
                Some(next) => {
                    log(format!("receiver {}: {error}; tried again at {}", receiver.name, next.next));
                    store.put_delivery(&next)?;
                }
                None => {
                    log(format!(
                        "receiver {}: {error}; given up: {}",
                        receiver.name,
                        summary(&delivery.alerts)
                    ));
                    store.remove_delivery(delivery.id)?;
                }
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::AlertKind;

    fn alert(key: &str) -> Alert {
        Alert {
            key: key.to_owned(),
            kind: AlertKind::SensorSilent,
            at: Timestamp(1_236_000_000_000_000_000),
            message: "sensor x".to_owned(),
            incident: None,
            sensor: None,
            host: None,
            network: None,
        }
    }

    #[test]
    fn a_digest_counts_alerts_by_kind() {
        assert_eq!(summary(&[alert("a"), alert("b")]), "2 alerts: 2 × sensor-silent");
        assert_eq!(summary(&[alert("a")]), "sensor x");
    }

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let signed = signature(b"Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
