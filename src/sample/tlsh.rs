//! Distance of two TLSH digests (Oliver, Cheng, Chen: TLSH, a locality sensitive hash, CTC 2013).
//!
//! A digest of 35 bytes consists of a checksum, the logarithm of the length of the file, two ratios of
//! quartiles of the counts of byte triples, and two bits for each of 128 counts: the quartile in which the
//! count lies. Equal files have the distance 0; unrelated files have distances of more than 100.

/// Number of bytes of the part of a digest that describes counts.
const BODY_BYTES: usize = 32;
/// Weight of a step of the length or of a ratio of quartiles, once it exceeds one step.
const STEP_WEIGHT: u32 = 12;
/// Weight of counts in opposite quartiles, which are three quartiles apart.
const OPPOSITE_WEIGHT: u32 = 6;

/// A TLSH digest with 128 buckets and a checksum of one byte, the usual form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TlshDigest {
    checksum: u8,
    /// Logarithm of the length.
    length: u8,
    /// Ratios of the first and of the second quartile to the third, in sixteenths.
    ratios: [u8; 2],
    body: [u8; BODY_BYTES],
}

impl TlshDigest {
    /// Reads 70 hexadecimal digits, behind `T1` since version 4 of the reference implementation. Returns
    /// `None` for other texts and for digests of other forms.
    pub(super) fn parse(text: &str) -> Option<TlshDigest> {
        let digits = text.strip_prefix("T1").unwrap_or(text).as_bytes();
        let mut bytes = [0; 3 + BODY_BYTES];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit =
                |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(0)? << 4 | digit(1)?;
        }
        let [checksum, length, ratios, body @ ..] = bytes;
        Some(TlshDigest {
            checksum,
            // The digits of this byte are written in reverse order.
            length: length.rotate_left(4),
            ratios: [ratios >> 4, ratios & 0xf],
            body,
        })
    }

    /// Returns the distance, which includes the difference of the lengths of the files.
    pub(super) fn distance(&self, other: &TlshDigest) -> u32 {
        let length = match circular_difference(self.length, other.length, 256) {
            small @ (0 | 1) => small,
            steps => steps * STEP_WEIGHT,
        };
        let mut distance = length + u32::from(self.checksum != other.checksum);
        for (own, others) in self.ratios.iter().zip(other.ratios) {
            distance += match circular_difference(*own, others, 16) {
                small @ (0 | 1) => small,
                steps => (steps - 1) * STEP_WEIGHT,
            };
        }
        for (own, others) in self.body.iter().zip(other.body) {
            distance += [0, 2, 4, 6]
                .map(|bits| bucket_difference(own >> bits & 3, others >> bits & 3))
                .iter()
                .sum::<u32>();
        }
        distance
    }
}

/// Returns the distance of two numbers on a circle of `size` numbers.
fn circular_difference(a: u8, b: u8, size: u32) -> u32 {
    let difference = u32::from(a.abs_diff(b));
    difference.min(size - difference)
}

/// Returns the difference of two quartiles, 0 to 3 each.
fn bucket_difference(a: u8, b: u8) -> u32 {
    match a.abs_diff(b) {
        3 => OPPOSITE_WEIGHT,
        other => u32::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digests and distances that the reference implementation lists for its example files
    /// (`Testing/exp/example_data.128.1.len.*`).
    #[test]
    fn distances_are_those_of_the_reference_implementation() {
        let alice = "45D18407A78523B35A030267671FA2C2F725402973629B25545EB43C3356679477F7FC";
        let yossi = "1FA1B357F78913B236924271569EA6D1FB2C451C33668484552C812D33138B8C73FFCE";
        let academy = "C8E1E8277B98A6255FA70063B70FBAE1F6618229332C9438084FB331178ADEE53B41D5";
        let brochure = "35214031F3C6AEA059EB1ABA870E8C4758D70024C63224B5D4C89354E46315D26BF736";
        let sound = "B65144DF581881590D92CEB572FEBBC5AA3201E0C0C586D4FC9D8CB12715A23B914FE1";
        let math = "F3C1722B67C823B156430214A51A95DAEF38E9283320A539FCDE446C3B1D6561B3BBB6";
        for (a, b, distance) in [
            (yossi, alice, 150),
            (yossi, academy, 265),
            (yossi, brochure, 382),
            (yossi, sound, 322),
            (yossi, math, 182),
            (alice, academy, 213),
            (alice, brochure, 379),
            (alice, sound, 327),
            (alice, math, 107),
            (academy, brochure, 472),
        ] {
            let [a, b] = [a, b].map(|text| TlshDigest::parse(text).unwrap());
            assert_eq!((a.distance(&b), b.distance(&a), a.distance(&a)), (distance, distance, 0));
        }
        assert_eq!(TlshDigest::parse(&format!("T1{alice}")), TlshDigest::parse(alice));
    }

    #[test]
    fn other_texts_are_no_digests() {
        for text in ["", "T1", "TNULL", "T1AA", &"0".repeat(69), &"x".repeat(70), &"é".repeat(35)] {
            assert_eq!(TlshDigest::parse(text), None, "{text}");
        }
    }
}
