//! The signatures of a capture with their numbers in histories. Windows have few different ones, and the number of
//! each is computed once.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{Feature, FeatureValue, ProbeSignature};

/// Maximum number of different signatures of a capture.
const SIGNATURES_MAX: usize = 1 << 16;
/// Maximum number of different payload hashes of a capture. Some scanners change the payload with each probe.
const PAYLOADS_MAX: usize = 1 << 12;

/// The signatures of a capture. Memory: about 170 bytes for each of at most 65,536.
///
/// Beyond 4,096 different payloads, signatures have no payload hash; beyond 65,536 signatures, windows have none. Both
/// are counted.
#[derive(Debug, Default)]
pub struct Signatures {
    /// Numbers by signature. The hash is seeded at random, because the senders choose the fields.
    numbers: HashMap<ProbeSignature, u64, RandomState>,
    payloads: HashSet<u32, RandomState>,
    without_payload: u64,
    left_out: u64,
}

impl Signatures {
    /// Returns the number of a signature in histories; `None` if the capture has too many others.
    #[inline]
    pub fn number(&mut self, signature: &ProbeSignature) -> Option<u64> {
        match self.numbers.get(signature) {
            Some(number) => Some(*number),
            None => self.add(*signature),
        }
    }

    fn add(&mut self, mut signature: ProbeSignature) -> Option<u64> {
        if let FeatureValue::Number(payload) = signature.value(Feature::Payload)
            && !self.payloads.contains(&payload)
        {
            if self.payloads.len() >= PAYLOADS_MAX {
                self.without_payload += 1;
                signature.set(Feature::Payload, FeatureValue::Other);
                if let Some(number) = self.numbers.get(&signature) {
                    return Some(*number);
                }
            } else {
                self.payloads.insert(payload);
            }
        }
        if self.numbers.len() >= SIGNATURES_MAX {
            self.left_out += 1;
            return None;
        }
        let number = signature.number();
        self.numbers.insert(signature, number);
        Some(number)
    }

    /// Returns the number of windows and facets whose signature was left out.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns the number of windows and facets whose signature has no payload hash because there were too many.
    #[must_use]
    pub fn without_payload(&self) -> u64 {
        self.without_payload
    }

    /// Returns all signatures with their numbers, ascending by number.
    #[must_use]
    pub fn into_list(self) -> Vec<(u64, ProbeSignature)> {
        let mut list: Vec<_> =
            self.numbers.into_iter().map(|(signature, number)| (number, signature)).collect();
        list.sort_unstable_by_key(|(number, _)| *number);
        list
    }
}
