//! What rule files may say. Unknown keys are errors.
//!
//! What a rule may be called. A name is a claim, so a rule says no more than its condition shows. Counts, ports and
//! flags show what was done (`high-port-probe-udp`), but not which program did it. The name of a tool or of a malware
//! needs a feature that packets of other programs have with a known, small probability: `chance` in the tool's file. A
//! label of the class `malware` must require such a mark. A rule with dates is applied only within them, and never to
//! a log without times, which cannot show that it falls within them. A single window is a hint, the stronger the
//! smaller the chance. The evidence is that more windows have a mark than chance explains.

use jiff::civil::Date;
use serde::Deserialize;

use crate::behavior::Transition;
use crate::event::Protocol;

use super::range::Range;

/// What every rule says of itself.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) valid_from: Option<Date>,
    pub(super) valid_to: Option<Date>,
}

/// Whether a rule is to be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Stable,
    Experimental,
    /// Kept for old histories, and not applied.
    Deprecated,
}

/// What kind of traffic a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelClass {
    /// Somebody looks for something.
    Scan,
    /// The scan of a malware. Such a label must require a mark of the class `malware`.
    Malware,
    /// Answers to packets with spoofed sources: nobody scans.
    Backscatter,
}

/// Declares a rule file's type: the keys that all kinds share, and its own.
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
            pub(super) fn about(&self) -> About {
                About {
                    id: self.id.clone(),
                    title: self.title.clone(),
                    valid_from: self.valid_from,
                    valid_to: self.valid_to,
                }
            }

            /// Keys that must say something and do not.
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
    /// A label: conditions on a window's parameters.
    LabelFile { class: LabelClass, when: LabelWhen }
}

rule_file! {
    /// A tool or other habit told by a packet's header.
    ToolFile { class: ToolClass, share: f64, chance: Option<f64>, when: ToolWhen }
}

rule_file! {
    /// A payload signature.
    PayloadFile { when: PayloadWhen }
}

rule_file! {
    /// Sandbox plumbing.
    PlumbingFile { when: PlumbingWhen }
}

/// All given conditions must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelWhen {
    /// The protocol set, as canonical strings print it; any of these.
    pub(super) protocol: Option<Vec<String>>,
    /// Exactly these ports.
    pub(super) ports: Option<Vec<u16>>,
    /// All listed ports at least this.
    pub(super) port_min: Option<u16>,
    pub(super) packets: Option<Range>,
    pub(super) source_ports: Option<Range>,
    pub(super) destination_ports: Option<Range>,
    pub(super) destinations: Option<Range>,
    pub(super) transition: Option<Transition>,
    /// Marks that the window must have.
    #[serde(default)]
    pub(super) marks: Vec<String>,
    /// Marks that it must not have.
    #[serde(default)]
    pub(super) without_marks: Vec<String>,
}

/// What a header habit tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ToolClass {
    /// A public scanning tool.
    Tool,
    /// Malware.
    Malware,
    /// An answer to something.
    Answer,
    /// A question, for label rules.
    Probe,
}

/// A condition on one packet's header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolWhen {
    pub(super) protocol: Option<Protocol>,
    pub(super) relation: Relation,
}

/// Relations between header fields that rules can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Relation {
    /// The IP identification is 54321.
    #[serde(rename = "ip-id-54321")]
    IpId54321,
    /// The IP identification is destination address, port and sequence number, folded.
    IpIdMasscan,
    /// The TCP sequence number is the destination address.
    SequenceIsDestination,
    /// An ICMP error or echo reply.
    IcmpAnswer,
    /// An ICMP echo request.
    IcmpEchoRequest,
    /// The answer of a UDP service of `answering-services.yaml`, by its ports and payload.
    UdpFromService,
    /// A packet to a multicast group or the limited broadcast.
    ToGroup,
    /// A datagram to one of the ports that traceroute counts through.
    UdpToTraceroutePort,
    /// To a port that Conficker.D derives from the destination and the week.
    PortOfConfickerD,
}

/// A condition on one packet's payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayloadWhen {
    pub(super) protocol: Protocol,
    /// To these ports; empty for any.
    pub(super) destination_ports: Vec<u16>,
    /// A byte regex: `.` is any byte, nothing is Unicode.
    pub(super) payload: String,
}

/// A condition on one packet of a victim. All given conditions must hold; one at least must be given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlumbingWhen {
    pub(super) protocol: Option<Protocol>,
    #[serde(default)]
    pub(super) destination_ports: Vec<u16>,
    #[serde(default)]
    pub(super) icmp_kinds: Vec<u8>,
    /// To a multicast or broadcast address.
    #[serde(default)]
    pub(super) group: bool,
    /// To an address of a private or link-local network.
    #[serde(default)]
    pub(super) local: bool,
}
