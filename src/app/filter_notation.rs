//! The notation in which people name behaviors: `445/tcp`, `icmp`, `pattern:ID`, `label:NAME`, `signature:FEATURES`.

use ipnet::IpNet;

use crate::behavior::{BehaviorId, ParsePatternError};
use crate::history::{BehaviorFilter, Granularity};
use crate::packet::Protocol;
use crate::rules::Rules;

use super::AppError;
use super::series::TrafficFilter;

/// Refuses a label that no rule assigns.
///
/// # Errors
/// When the filter is such a label.
pub fn check_label(filter: &TrafficFilter, rules: &Rules) -> Result<(), AppError> {
    match filter {
        TrafficFilter::Label(label) if !rules.has_label(label) => {
            Err(AppError::Usage(format!("no rule gives the label `{label}`")))
        }
        _ => Ok(()),
    }
}

/// Parses a behavior, such as `445/tcp`, `icmp` or `pattern:ID`.
///
/// # Errors
/// When the text has another form; the error says which forms there are.
pub fn parse_filter(text: &str) -> Result<TrafficFilter, String> {
    let (kind, rest) = text.split_once(':').unwrap_or(("", text));
    let named = |granularity| {
        let id = rest.parse::<BehaviorId>().map_err(|error| error.to_string())?;
        Ok(TrafficFilter::Behavior(BehaviorFilter { granularity, id, facets: false }))
    };
    let protocol = |text: &str| text.parse::<Protocol>().map_err(|error| error.to_string());
    match kind {
        "type" => named(Granularity::Type),
        "shape" => named(Granularity::Shape),
        // `family` is the earlier name of a pattern.
        "pattern" | "family" => named(Granularity::Pattern),
        "label" => Ok(TrafficFilter::Label(rest.to_owned())),
        "signature" => {
            rest.parse().map(TrafficFilter::Signature).map_err(|error: ParsePatternError| error.to_string())
        }
        "" => match rest.split_once('/') {
            None if !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit()) => {
                // Different malware scans the TCP and the UDP port of a number, so the protocol is required.
                Err(format!("`{rest}` is a port without its protocol; write {rest}/tcp or {rest}/udp"))
            }
            None => Ok(TrafficFilter::Protocol(protocol(rest)?)),
            Some((port, name)) => {
                let (port, protocol) = match (port.parse(), protocol(name)) {
                    (Ok(port), protocol) => (port, protocol?),
                    (Err(_), _) => return Err(not_a_service(port, name)),
                };
                match protocol.has_ports() {
                    true => Ok(TrafficFilter::Service(protocol, port)),
                    false => Err(format!(
                        "{protocol} has no ports; write {} alone",
                        protocol.to_string().to_lowercase()
                    )),
                }
            }
        },
        other => Err(format!(
            "`{other}:`; use type:, shape:, pattern:, label:, signature:, a port like 445/tcp, a protocol"
        )),
    }
}

/// Returns the error for a text that has the form of a service but no valid port.
fn not_a_service(port: &str, name: &str) -> String {
    match name.parse::<u16>() {
        Ok(number) if port.parse::<Protocol>().is_ok() => {
            format!("the port comes first; write {number}/{}", port.to_lowercase())
        }
        _ => format!("`{port}` is no port, a number from 0 to 65535"),
    }
}

/// Returns a behavior in the notation of [`parse_filter`], followed by the prefix of its hosts if one is
/// given.
#[must_use]
pub fn filter_name(filter: &TrafficFilter, sources: Option<IpNet>) -> String {
    let name = match filter {
        TrafficFilter::All => "all".to_owned(),
        TrafficFilter::Behavior(BehaviorFilter { granularity, id, .. }) => format!("{granularity}:{id}"),
        TrafficFilter::Service(protocol, port) => format!("{port}/{}", protocol.to_string().to_lowercase()),
        TrafficFilter::Protocol(protocol) => protocol.to_string().to_lowercase(),
        TrafficFilter::Label(label) => format!("label:{label}"),
        TrafficFilter::Signature(pattern) => format!("signature:{pattern}"),
    };
    sources.map_or_else(|| name.clone(), |sources| format!("{name} from {sources}"))
}
