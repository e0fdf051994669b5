//! Some features of a probe signature, as filters name them.

use std::fmt;
use std::str::FromStr;

use crate::packet::ProbeKind;

use super::signature::{kind_of_name, name_of_kind};
use super::{Feature, FeatureValue, ProbeSignature};

/// Features that a probe signature must have. The default fits every signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignaturePattern {
    /// The kind of the probes; `None` for any kind.
    kind: Option<ProbeKind>,
    features: Vec<(Feature, FeatureValue)>,
}

impl SignaturePattern {
    /// Returns whether a signature has all features of the pattern.
    #[must_use]
    pub fn matches(&self, signature: &ProbeSignature) -> bool {
        self.kind.is_none_or(|kind| signature.kind() == Some(kind))
            && self.features.iter().all(|(feature, value)| signature.value(*feature) == *value)
    }

    /// Returns the features of the pattern with their values.
    #[must_use]
    pub fn features(&self) -> &[(Feature, FeatureValue)] {
        &self.features
    }
}

/// Writes `syn,ttl=64,options=mss,nop`: the kind if the pattern has one, and the features.
impl fmt::Display for SignaturePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.map(|kind| name_of_kind(Some(kind)).to_owned());
        let features =
            self.features.iter().map(|(feature, value)| format!("{feature}={}", feature.text_of(*value)));
        let parts: Vec<String> = kind.into_iter().chain(features).collect();
        f.write_str(&parts.join(","))
    }
}

/// A text that is no pattern of signatures; the message says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParsePatternError(String);

/// Parses what [`Display`](fmt::Display) writes. The names of a list of options, which are also separated by commas,
/// are those that no `=` follows.
impl FromStr for SignaturePattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut pattern = SignaturePattern::default();
        let mut fields: Vec<String> = Vec::new();
        for part in text.split(',') {
            match fields.last_mut() {
                Some(list) if !part.contains('=') && list.contains('=') => {
                    list.push(',');
                    list.push_str(part);
                }
                _ => fields.push(part.to_owned()),
            }
        }
        for field in &fields {
            let Some((name, value)) = field.split_once('=') else {
                pattern.kind = Some(kind_of_name(field).flatten().ok_or_else(|| {
                    ParsePatternError(format!(
                        "`{}` is neither syn, datagram nor request, nor a feature with its value (seq=destination)",
                        field.escape_default()
                    ))
                })?);
                continue;
            };
            let feature = Feature::from_name(name).ok_or_else(|| unknown_feature(name))?;
            let value = feature.parse(value).ok_or_else(|| {
                let value = value.escape_default();
                ParsePatternError(format!("`{value}` is no value of `{name}`; `inga host` shows values"))
            })?;
            pattern.features.push((feature, value));
        }
        Ok(pattern)
    }
}

fn unknown_feature(name: &str) -> ParsePatternError {
    let names: Vec<&str> = Feature::ALL.into_iter().map(Feature::name).collect();
    ParsePatternError(format!("no feature `{}`; there are {}", name.escape_default(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_name() {
        let signature: ProbeSignature =
            "ps1|syn|ttl=64|df=1|options=mss,nop,ws|mss=1460|seq=destination".parse().unwrap();
        for (text, expected) in [
            ("seq=destination", true),
            ("syn,ttl=64,options=mss,nop,ws,mss=1460", true),
            ("options=mss,nop", false),
            ("datagram", false),
            ("window=1024", false),
        ] {
            let pattern: SignaturePattern = text.parse().unwrap();
            assert_eq!((pattern.matches(&signature), pattern.to_string().as_str()), (expected, text));
        }
        for wrong in ["", "seq", "sequence=1", "ttl=x", "syn,options=mss,wrong", "mixed"] {
            assert!(wrong.parse::<SignaturePattern>().is_err(), "{wrong}");
        }
    }
}
