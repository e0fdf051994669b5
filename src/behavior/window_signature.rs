//! The signatures of a window's probes: of all of them, and of each service.

use serde::{Deserialize, Serialize};

use crate::packet::Protocol;

use super::probe_fields::ProbeFields;
use super::signature_fold::SignatureFold;
use super::signature_reduction::signature_of;
use super::{Probe, ProbeSignature};

/// Maximum number of services of a window that have a signature of their own. Further ones have none.
const SERVICES_MAX: usize = 32;

/// The folds of a window: of all its probes, and of each service if it has several. Memory: 48 bytes; 40 for each of
/// several services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WindowSignature {
    whole: SignatureFold,
    #[expect(
        clippy::box_collection,
        reason = "most windows have one service, and a pointer keeps them small"
    )]
    services: Option<Box<Vec<SignatureFold>>>,
}

impl WindowSignature {
    /// Adds a packet of the window; see [`SignatureFold::add`].
    #[inline]
    pub(super) fn add(&mut self, fields: ProbeFields, probe: &Probe, is_new: bool) {
        if !fields.is_probe() {
            return;
        }
        if self.services.is_some() || self.whole.probes > 0 && !self.whole.is_service(fields, probe) {
            self.add_to_service(fields, probe, is_new);
        }
        self.whole.add(fields, probe, is_new);
    }

    fn add_to_service(&mut self, fields: ProbeFields, probe: &Probe, is_new: bool) {
        let services = self.services.get_or_insert_with(|| Box::new(vec![self.whole]));
        let known = services.iter().position(|service| service.is_service(fields, probe));
        if known.is_none() && services.len() < SERVICES_MAX {
            services.push(SignatureFold::default());
        }
        let place = known.unwrap_or(services.len() - 1);
        if known.is_some() || services[place].probes == 0 {
            services[place].add(fields, probe, is_new);
        }
    }

    /// Returns one fold for each service. If the window has only one service, this is the fold of all probes.
    pub(super) fn folds(&self) -> &[SignatureFold] {
        self.services.as_deref().map_or(std::slice::from_ref(&self.whole), Vec::as_slice)
    }

    /// Returns the signature of all probes; `None` without any.
    pub(super) fn whole(&self) -> Option<ProbeSignature> {
        signature_of(&self.whole)
    }

    /// Returns the signature of the probes of a service. `first` is one of its packets.
    pub(super) fn service(&self, first: &Probe) -> Option<ProbeSignature> {
        let kind = match first.protocol() {
            Protocol::Tcp => 1,
            Protocol::Udp => 2,
            Protocol::Icmp | Protocol::Icmpv6 => 3,
            _ => return None,
        };
        let fields = ProbeFields { form: kind, numbers: 0 };
        signature_of(self.folds().iter().find(|service| service.is_service(fields, first))?)
    }
}
