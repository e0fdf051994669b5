//! The schema of rule files. Unknown keys are errors.
//!
//! The name of a rule is a claim, so a rule claims no more than its condition shows. Counts, ports and flags
//! show what a host did (`high-port-probe-udp`), but not which program did it. The name of a tool or of
//! malware needs a feature that packets of other programs have with a known, small probability: `tail_probability` in
//! the tool's file. A label of the class `malware` must require such a mark. A rule with dates applies only
//! between its dates, and never to a log without times, which cannot show that it falls between them. A
//! single window is a hint; the smaller the chance, the stronger the hint. Evidence is that more windows have
//! a mark than chance explains.

use jiff::civil::Date;
use serde::Deserialize;

use crate::behavior::Transition;
use crate::packet::Protocol;

use super::range::CountRange;

/// The keys of every rule that are used after compilation.
#[derive(Clone, Debug)]
pub(super) struct RuleInfo {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) valid_from: Option<Date>,
    pub(super) valid_to: Option<Date>,
}

/// The maturity of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Stable,
    Experimental,
    /// Not applied; the file only reserves the id.
    Deprecated,
}

/// The kind of traffic that a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelClass {
    /// A scan.
    Scan,
    /// A scan by malware. Such a label must require a mark of the class `malware`.
    Malware,
    /// Answers to packets with spoofed sources, which are not scans.
    Backscatter,
}

/// Declares the type of a rule file from its own keys; adds the keys that all kinds of rules share.
macro_rules! rule_file {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            id: String,
            title: String,
            description: String,
            pub(super) status: Status,
            author: String,
            references: Vec<String>,
            valid_from: Option<Date>,
            valid_to: Option<Date>,
            $(pub(super) $key: $type,)*
        }

        impl $name {
            pub(super) fn about(&self) -> RuleInfo {
                RuleInfo {
                    id: self.id.clone(),
                    title: self.title.clone(),
                    valid_from: self.valid_from,
                    valid_to: self.valid_to,
                }
            }

            /// Returns the required keys that are empty.
            pub(super) fn empty_keys(&self) -> Vec<&'static str> {
                let texts = [("title", &self.title), ("description", &self.description), ("author", &self.author)];
                let mut empty: Vec<&'static str> =
                    texts.iter().filter(|(_, text)| text.trim().is_empty()).map(|(key, _)| *key).collect();
                if self.references.iter().all(|reference| reference.trim().is_empty()) {
                    empty.push("references");
                }
                empty
            }
        }
    };
}

rule_file! {
    /// A label rule: conditions on the parameters and marks of a window.
    LabelFile { class: LabelClass, when: LabelWhen }
}

rule_file! {
    /// A tool rule: a feature of packet headers that a tool, malware or other traffic has.
    ToolFile { class: ToolClass, share: f64, chance: Option<f64>, when: ToolWhen }
}

rule_file! {
    /// A payload rule: a signature in the payload.
    PayloadFile { when: PayloadWhen }
}

rule_file! {
    /// A rule for infrastructure traffic in a sandbox.
    InfrastructureFile { when: InfrastructureWhen }
}

/// Conditions of a label. All that are given must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelWhen {
    /// Alternatives for the window's protocol set, written as in canonical strings.
    pub(super) protocol: Option<Vec<String>>,
    /// The exact destination ports of the window.
    pub(super) ports: Option<Vec<u16>>,
    /// Minimum of all listed destination ports; a window without listed ports does not match.
    pub(super) port_min: Option<u16>,
    pub(super) packets: Option<CountRange>,
    pub(super) source_ports: Option<CountRange>,
    pub(super) destination_ports: Option<CountRange>,
    pub(super) destinations: Option<CountRange>,
    pub(super) transition: Option<Transition>,
    /// Marks that the window must have.
    #[serde(default)]
    pub(super) marks: Vec<String>,
    /// Marks that the window must not have.
    #[serde(default)]
    pub(super) without_marks: Vec<String>,
}

/// What the mark of a tool rule indicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ToolClass {
    /// A public scanning tool.
    Tool,
    /// Malware.
    Malware,
    /// An answer, such as an ICMP error.
    Answer,
    /// A request, such as an echo request; used by label rules.
    Probe,
}

/// A condition on the header of one packet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolWhen {
    pub(super) protocol: Option<Protocol>,
    pub(super) relation: Relation,
}

/// Relations between header fields that a tool rule can require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Relation {
    /// The IP identification is 54321.
    #[serde(rename = "ip-id-54321")]
    IpId54321,
    /// The IP identification of a SYN is the lower half of destination address XOR destination port XOR
    /// sequence number (masscan).
    IpIdMasscan,
    /// The TCP sequence number of a SYN is the destination address (Mirai).
    SequenceIsDestination,
    /// The packet is an ICMP error, redirect or reply.
    IcmpAnswer,
    /// The packet is an ICMP echo request.
    IcmpEchoRequest,
    /// The datagram is the answer of a UDP service in `answering-services.yaml`, judged by ports and payload.
    UdpFromService,
    /// The destination is a multicast group or the limited broadcast address.
    ToGroup,
    /// The datagram goes to one of the ports that traceroute uses.
    UdpToTraceroutePort,
    /// The destination port is one that Conficker.D derives from the destination and the week.
    PortOfConfickerD,
}

/// A condition on the payload of one packet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayloadWhen {
    pub(super) protocol: Protocol,
    /// The destination ports; empty for any port.
    pub(super) destination_ports: Vec<u16>,
    /// A byte regex: `.` matches any byte, and nothing is Unicode.
    pub(super) payload: String,
}

/// Conditions on one packet of a victim. All that are given must hold; at least one other than `local` must
/// be given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InfrastructureWhen {
    pub(super) protocol: Option<Protocol>,
    #[serde(default)]
    pub(super) destination_ports: Vec<u16>,
    #[serde(default)]
    pub(super) icmp_kinds: Vec<u8>,
    /// If true, the destination must be a multicast or broadcast address.
    #[serde(default)]
    pub(super) group: bool,
    /// If true, the destination must be a private or link-local address.
    #[serde(default)]
    pub(super) local: bool,
}
