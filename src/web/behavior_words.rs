//! Behaviors in words, for headings and sentences.

use crate::behavior::{Parameters, Ports, Transition};

use super::format::{counted, listed, plural};

/// Returns the order of the destinations in words; empty if there is only one.
pub(super) fn transition(transition: Transition) -> &'static str {
    match transition {
        Transition::Single => "",
        Transition::Sequential => "sequential sweep",
        Transition::Random => "random targets",
    }
}

/// Describes a window with these parameters: `TCP:S to port 445, sequential sweep over 32 addresses`.
pub(super) fn sentence(parameters: &Parameters) -> String {
    let ports = match &parameters.ports {
        Ports::None => String::new(),
        Ports::Many => " to many ports".to_owned(),
        Ports::Listed(ports) => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!(" to port{} {}", plural(ports.len()), listed(&ports))
        }
    };
    let targets = match transition(parameters.transition) {
        "" => " of one address".to_owned(),
        order => format!(", {order} over up to {}", counted(parameters.destinations, "address", "addresses")),
    };
    format!("{}{ports}{targets}", parameters.protocol)
}
