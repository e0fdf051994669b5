//! What the probes of a window have in common, gathered packet by packet in constant memory.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::packet::Protocol;

use super::Probe;
use super::probe_fields::{ID_KNOWN, KIND, ProbeFields, SEQUENCE_KNOWN};

/// Relations within a probe, as bits of [`SignatureFold::relations`].
pub(super) const SEQUENCE_IS_DESTINATION: u8 = 1;
pub(super) const ID_IS_MASSCANS: u8 = 2;
pub(super) const SOURCE_PORT_IS_DESTINATION_PORT: u8 = 4;
/// The source port is known; it is not, where a log prints the name of an unknown service.
pub(super) const SOURCE_PORT_KNOWN: u8 = 8;

/// The first probe of a window or service, and in what the later ones differ from it. Memory: 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SignatureFold {
    pub(super) first: ProbeFields,
    /// The bits in which some later probe differs from the first.
    pub(super) differing: ProbeFields,
    pub(super) source_port: u16,
    destination_port: u16,
    pub(super) source_port_differs: bool,
    /// The relations that hold for every probe.
    pub(super) relations: u8,
    /// Number of different probes, 2 for any larger number. Retries are one probe.
    pub(super) probes: u8,
}

impl SignatureFold {
    /// Adds a packet that is a probe. `is_new` says that it is no retry of an earlier one.
    #[inline]
    pub(super) fn add(&mut self, fields: ProbeFields, probe: &Probe, is_new: bool) {
        let source_port = probe.source_port().unwrap_or(0);
        let relations = relations(fields, probe);
        if self.probes == 0 {
            let destination_port = probe.destination_port().unwrap_or(0);
            *self = SignatureFold {
                first: fields,
                differing: ProbeFields::default(),
                source_port,
                destination_port,
                source_port_differs: false,
                relations,
                probes: 1,
            };
            return;
        }
        self.differing.form |= fields.form ^ self.first.form;
        self.differing.numbers |= fields.numbers ^ self.first.numbers;
        self.source_port_differs |= source_port != self.source_port;
        self.relations &= relations;
        if is_new {
            self.probes = 2;
        }
    }

    /// Adds all probes of another fold, as if they were further probes of this one. They count as different probes.
    pub(super) fn merge(&mut self, other: &SignatureFold) {
        if self.probes == 0 {
            *self = *other;
            return;
        }
        let (mine, theirs) = (self.first, other.first);
        self.differing.form |= other.differing.form | (mine.form ^ theirs.form);
        self.differing.numbers |= other.differing.numbers | (mine.numbers ^ theirs.numbers);
        self.source_port_differs |= other.source_port_differs || self.source_port != other.source_port;
        self.relations &= other.relations;
        self.probes = 2;
    }

    /// Returns the place of the kind of the probes among SYNs, datagrams and requests; `None` for several kinds.
    pub(super) fn kind_place(&self) -> Option<usize> {
        let kind = usize::try_from(self.first.form & KIND).unwrap_or(0);
        if self.differing.form & KIND == 0 { kind.checked_sub(1) } else { None }
    }

    /// Returns whether a probe is of the same kind and goes to the same port as the first one.
    #[inline]
    pub(super) fn is_service(&self, fields: ProbeFields, probe: &Probe) -> bool {
        self.destination_port == probe.destination_port().unwrap_or(0)
            && (self.first.form ^ fields.form) & KIND == 0
    }
}

/// Returns the relations that hold for a probe.
#[inline]
fn relations(fields: ProbeFields, probe: &Probe) -> u8 {
    let mut relations = 0;
    if let (IpAddr::V4(destination), Protocol::Tcp) = (probe.destination(), probe.protocol())
        && fields.form & SEQUENCE_KNOWN != 0
    {
        let (destination, sequence) = (destination.to_bits(), fields.numbers);
        let port = u64::from(probe.destination_port().unwrap_or(0));
        if u64::from(destination) == sequence & 0xffff_ffff {
            relations |= SEQUENCE_IS_DESTINATION;
        }
        let masscan = u64::from(destination) ^ port ^ sequence;
        if fields.form & ID_KNOWN != 0 && (masscan ^ fields.numbers >> 32) & 0xffff == 0 {
            relations |= ID_IS_MASSCANS;
        }
    }
    if probe.source_port().is_some() {
        relations |= SOURCE_PORT_KNOWN;
        if probe.source_port() == probe.destination_port() {
            relations |= SOURCE_PORT_IS_DESTINATION_PORT;
        }
    }
    relations
}
