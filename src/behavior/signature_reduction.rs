//! Reduces what the probes of a window have in common to their signature.
//!
//! Neither loss nor the size of a sensor may change the signature of several probes. So a feature is kept by its value only where
//! a single probe shows that the value is no accident, or where several probes share it.

use crate::packet::{PayloadDigest, ProbeKind};

use super::probe_fields::{
    DONT_FRAGMENT, ID_KNOWN, INITIAL_TTLS, KIND, SEQUENCE_KNOWN, TTL, UNUSED, WINDOW_KNOWN,
};
use super::signature_fold::{
    ID_IS_MASSCANS, SEQUENCE_IS_DESTINATION, SOURCE_PORT_IS_DESTINATION_PORT, SOURCE_PORT_KNOWN,
    SignatureFold,
};
use super::{Feature, FeatureValue, ProbeSignature, remarkable};

/// Bits of a probe's form that hold the kinds of options, the maximum segment size, the window scale, and the length
/// and hash of a payload.
const OPTION_KINDS: u64 = 0xffff_ffff << 12;
const MSS: u64 = 0xffff << 44;
const WINDOW_SCALE: u64 = 0xf << 60;
const LENGTH: u64 = 0xffff << 12;
const HASH: u64 = 0xffff_ffff << 32;

/// Returns the signature of probes; `None` if there is none, or if nothing of them is known.
pub(super) fn signature_of(fold: &SignatureFold) -> Option<ProbeSignature> {
    let is_mixed = fold.differs(KIND);
    let kind = fold.first.header().kind().filter(|_| !is_mixed);
    let mut signature = ProbeSignature::new(kind);
    signature.set(Feature::Ttl, ttl(fold));
    signature.set(Feature::DontFragment, dont_fragment(fold));
    signature.set(Feature::IpId, ip_id(fold));
    match kind {
        Some(ProbeKind::Syn) => {
            signature.set(Feature::SourcePort, source_port(fold));
            add_tcp(&mut signature, fold);
        }
        Some(ProbeKind::Datagram) => {
            signature.set(Feature::SourcePort, source_port(fold));
            add_payload(&mut signature, fold);
        }
        Some(ProbeKind::Request) => {
            add_request(&mut signature, fold);
            add_payload(&mut signature, fold);
        }
        None => {}
    }
    (fold.probes > 0 && !signature.is_blank()).then_some(signature)
}

impl SignatureFold {
    /// Returns whether the probes differ in some of these bits of their form.
    fn differs(&self, bits: u64) -> bool {
        self.differing.form & bits != 0
    }

    /// Returns whether all probes have a field with this bit.
    fn knows(&self, bit: u64) -> bool {
        self.first.form & bit != 0 && !self.differs(bit)
    }
}

/// Returns the value of a field that each probe shows by itself.
fn plain(differs: bool, value: Option<FeatureValue>) -> FeatureValue {
    match value {
        None => FeatureValue::Unknown,
        Some(_) if differs => FeatureValue::Varies,
        Some(value) => value,
    }
}

/// Returns the value of a field that software may choose at random. `of_several` is its value if several probes share
/// it although it is not remarkable.
fn chosen(
    differs: bool,
    number: u32,
    is_remarkable: bool,
    probes: u8,
    of_several: FeatureValue,
) -> FeatureValue {
    match (differs, is_remarkable, probes) {
        (true, ..) => FeatureValue::Varies,
        (false, true, _) => FeatureValue::Number(number),
        (false, false, 0 | 1) => FeatureValue::Other,
        (false, false, _) => of_several,
    }
}

fn ttl(fold: &SignatureFold) -> FeatureValue {
    let class = usize::try_from((fold.first.form & TTL) >> 6).unwrap_or(0);
    let initial = class.checked_sub(1).and_then(|place| INITIAL_TTLS.get(place));
    plain(fold.differs(TTL), initial.map(|ttl| FeatureValue::Number(u32::from(*ttl))))
}

fn dont_fragment(fold: &SignatureFold) -> FeatureValue {
    let flag = fold.first.header().dont_fragment();
    plain(fold.differs(DONT_FRAGMENT), flag.map(|flag| FeatureValue::Number(u32::from(flag))))
}

fn ip_id(fold: &SignatureFold) -> FeatureValue {
    if !fold.knows(ID_KNOWN) {
        return FeatureValue::Unknown;
    }
    if fold.relations & ID_IS_MASSCANS != 0 {
        return FeatureValue::Relation;
    }
    let differs = fold.differing.ip_id() != 0;
    let (id, number) = (fold.first.ip_id(), u32::from(fold.first.ip_id()));
    chosen(differs, number, remarkable::ip_id(id), fold.probes, FeatureValue::Number(number))
}

fn source_port(fold: &SignatureFold) -> FeatureValue {
    if fold.relations & SOURCE_PORT_KNOWN == 0 {
        return FeatureValue::Unknown;
    }
    if fold.relations & SOURCE_PORT_IS_DESTINATION_PORT != 0 {
        return FeatureValue::Relation;
    }
    let port = fold.source_port;
    let is_remarkable = remarkable::source_port(port);
    chosen(fold.source_port_differs, u32::from(port), is_remarkable, fold.probes, FeatureValue::Constant)
}

fn add_tcp(signature: &mut ProbeSignature, fold: &SignatureFold) {
    let header = fold.first.header();
    let options = header.options();
    let mss = options.and_then(|options| options.mss());
    if let Some(options) = options {
        let number = |value: Option<u32>| Some(value.map_or(FeatureValue::Absent, FeatureValue::Number));
        let scale = options.window_scale();
        let kinds = Some(FeatureValue::Options(options));
        signature.set(Feature::Options, plain(fold.differs(OPTION_KINDS), kinds));
        signature.set(Feature::Mss, plain(fold.differs(MSS), number(mss.map(u32::from))));
        signature.set(Feature::WindowScale, plain(fold.differs(WINDOW_SCALE), number(scale.map(u32::from))));
    }
    let unused = header.unused().map(FeatureValue::of_unused);
    signature.set(Feature::Unused, plain(fold.differs(UNUSED), unused));
    if fold.knows(WINDOW_KNOWN) {
        let window = fold.first.window();
        let differs = fold.differing.window() != 0;
        let is_remarkable = remarkable::tcp_window(window, mss);
        let value = chosen(differs, u32::from(window), is_remarkable, fold.probes, FeatureValue::Constant);
        signature.set(Feature::Window, value);
    }
    if fold.knows(SEQUENCE_KNOWN) {
        let number = fold.first.sequence();
        let differs = fold.differing.sequence() != 0;
        let value = match fold.relations & SEQUENCE_IS_DESTINATION {
            0 => {
                let of_several = FeatureValue::Number(number);
                chosen(differs, number, remarkable::sequence(number), fold.probes, of_several)
            }
            _ => FeatureValue::Relation,
        };
        signature.set(Feature::Sequence, value);
    }
}

fn add_payload(signature: &mut ProbeSignature, fold: &SignatureFold) {
    let Some(PayloadDigest { length, hash }) = fold.first.header().payload() else { return };
    let length_differs = fold.differs(LENGTH);
    signature.set(Feature::Length, plain(length_differs, Some(FeatureValue::Number(u32::from(length)))));
    let content = match length {
        0 => Some(FeatureValue::Absent),
        _ => hash.map(FeatureValue::Number),
    };
    signature.set(Feature::Payload, plain(length_differs || fold.differs(HASH), content));
}

fn add_request(signature: &mut ProbeSignature, fold: &SignatureFold) {
    if !fold.knows(SEQUENCE_KNOWN) {
        return;
    }
    let halves = |number: u32| {
        let half = |bits: u32| u16::try_from(bits & 0xffff).unwrap_or(0);
        (half(number >> 16), half(number))
    };
    let (id, number) = halves(fold.first.sequence());
    let (id_differs, number_differs) = halves(fold.differing.sequence());
    let value = |differs: u16, half: u16, is_remarkable: bool| {
        chosen(differs != 0, u32::from(half), is_remarkable, fold.probes, FeatureValue::Constant)
    };
    signature.set(Feature::IcmpId, value(id_differs, id, remarkable::icmp_id(id)));
    signature.set(Feature::IcmpSequence, value(number_differs, number, remarkable::icmp_sequence(number)));
}
