//! Probe signatures as JSON. The names of fields and features are stable.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::behavior::ProbeSignature;

/// A signature: its text, the kind of its probes, and its known features by name.
#[derive(Serialize)]
pub(super) struct SignatureJson<'a> {
    text: &'a ProbeSignature,
    probe: &'static str,
    features: FeaturesJson<'a>,
}

impl<'a> From<&'a ProbeSignature> for SignatureJson<'a> {
    fn from(signature: &'a ProbeSignature) -> SignatureJson<'a> {
        SignatureJson { text: signature, probe: signature.kind_name(), features: FeaturesJson(signature) }
    }
}

struct FeaturesJson<'a>(&'a ProbeSignature);

impl Serialize for FeaturesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (feature, value) in self.0.features() {
            map.serialize_entry(feature.name(), &feature.text_of(value))?;
        }
        map.end()
    }
}
