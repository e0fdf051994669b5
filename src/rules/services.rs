//! UDP services that answer requests from any address, and recognition of their answers, by
//! `rules/answering-services.yaml`. The header of that file justifies the method and states its limits.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::packet::{Packet, Protocol, is_group};

/// The contents of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServicesFile {
    services: Vec<ServiceEntry>,
}

/// One service in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    port: u16,
    service: String,
    sources: Vec<String>,
    /// Whether the ports decide if the payload does not.
    #[serde(default = "yes")]
    by_port: bool,
    /// A byte regex that matches payloads of answers.
    answer: Option<String>,
    /// A byte regex that matches payloads of requests.
    question: Option<String>,
}

fn yes() -> bool {
    true
}

/// A compiled service.
#[derive(Clone, Debug)]
struct AnsweringService {
    port: u16,
    by_port: bool,
    answer: Option<Regex>,
    question: Option<Regex>,
}

/// The compiled services.
#[derive(Clone, Debug, Default)]
pub(super) struct AnsweringServices {
    /// The services, ascending by port.
    services: Vec<AnsweringService>,
}

impl ServicesFile {
    /// Compiles the services. Each error has the number of its entry, from 0.
    pub(super) fn compile(&self) -> Result<AnsweringServices, Vec<(usize, String)>> {
        let mut errors = Vec::new();
        let mut ports = BTreeSet::new();
        let mut services = Vec::new();
        for (number, entry) in self.services.iter().enumerate() {
            let mut fault = |message: String| errors.push((number, message));
            if !ports.insert(entry.port) {
                fault(format!("port {} is listed twice; keep one entry", entry.port));
            }
            entry.faults().into_iter().for_each(&mut fault);
            let mut regex = |key: &str, text: &Option<String>| match text.as_deref().map(byte_regex) {
                Some(Ok(regex)) => Some(regex),
                Some(Err(reason)) => {
                    fault(format!("`{key}` of port {} {reason}", entry.port));
                    None
                }
                None => None,
            };
            services.push(AnsweringService {
                port: entry.port,
                by_port: entry.by_port,
                answer: regex("answer", &entry.answer),
                question: regex("question", &entry.question),
            });
        }
        services.sort_by_key(|service| service.port);
        if errors.is_empty() { Ok(AnsweringServices { services }) } else { Err(errors) }
    }
}

impl ServiceEntry {
    /// Returns the faults of an entry, except those of its regexes.
    fn faults(&self) -> Vec<String> {
        let port = self.port;
        let mut faults = Vec::new();
        if port == 0 {
            faults.push("port 0 is no service's; write a port from 1 to 65535".to_owned());
        }
        if self.service.trim().is_empty() {
            faults.push(format!("`service` of port {port} is empty; write the service's name"));
        }
        if self.sources.iter().all(|source| source.trim().is_empty()) {
            faults.push(format!("`sources` of port {port} is empty; say why the service is known to answer"));
        }
        if !self.by_port && self.answer.is_none() {
            faults.push(format!(
                "port {port} has `by_port: false` and no `answer`, so it matches nothing; write `answer`"
            ));
        }
        faults
    }
}

/// Compiles a byte regex: `.` matches any byte, and nothing is Unicode.
///
/// # Errors
/// Fails if the text is not a regex, or if it matches the empty payload and thus every packet.
pub(super) fn byte_regex(text: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(text).unicode(false).dot_matches_new_line(true).build();
    match regex {
        // The library's message shows the pattern on several lines; the last line states the error.
        Err(error) => {
            let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            Err(format!("is no byte regex: {reason}"))
        }
        Ok(regex) if regex.is_match(b"") => {
            Err("matches the empty payload, so every packet; ask for some byte".to_owned())
        }
        Ok(regex) => Ok(regex),
    }
}

impl AnsweringServices {
    /// Returns the number of services.
    pub(super) fn count(&self) -> usize {
        self.services.len()
    }

    #[inline]
    fn on_port(&self, port: u16) -> Option<&AnsweringService> {
        let place = self.services.binary_search_by_key(&port, |service| service.port).ok()?;
        self.services.get(place)
    }

    /// Returns whether a datagram is the answer of a listed service. The payload is empty if it was not
    /// captured.
    #[inline]
    pub(super) fn answers(&self, packet: &Packet, payload: &[u8]) -> bool {
        // No request has a group address as its source, and devices announce themselves to groups from ports
        // of these services.
        if packet.protocol() != Protocol::Udp || is_group(packet.destination()) {
            return false;
        }
        let (Some(from), Some(to)) = (packet.source_port(), packet.destination_port()) else { return false };
        self.on_port(from).is_some_and(|service| self.is_answer(service, to, payload))
    }

    /// Returns whether a datagram from a service's port to port `to` is an answer.
    fn is_answer(&self, service: &AnsweringService, to: u16, payload: &[u8]) -> bool {
        let is = |regex: &Option<Regex>| regex.as_ref().is_some_and(|regex| regex.is_match(payload));
        if is(&service.answer) {
            return true;
        }
        service.by_port && to >= 1024 && self.on_port(to).is_none() && !is(&service.question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let file: ServicesFile = crate::yaml::parse(text).unwrap();
        file.compile().map(|_| ()).unwrap_err().into_iter().map(|(_, message)| message).collect()
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_said() {
        let check = |entry: &str, expected: &str| {
            let errors = errors(&format!("services: [{{port: 9, service: x, sources: [y]}}, {entry}]"));
            assert!(errors.len() == 1 && errors[0].contains(expected), "{entry}: {errors:?}");
        };
        check("{port: 9, service: x, sources: [y]}", "listed twice");
        check("{port: 0, service: x, sources: [y]}", "port 0");
        check("{port: 1, service: ' ', sources: [y]}", "`service` of port 1 is empty");
        check("{port: 1, service: x, sources: []}", "`sources` of port 1 is empty");
        check("{port: 1, service: x, sources: [y], by_port: false}", "matches nothing");
        check("{port: 1, service: x, sources: [y], answer: '('}", "`answer` of port 1 is no byte regex");
        check("{port: 1, service: x, sources: [y], question: 'a*'}", "every packet");
    }
}
