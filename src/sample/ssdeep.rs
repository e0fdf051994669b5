//! Score of two ssdeep digests (Kornblum: Identifying almost identical files using context triggered
//! piecewise hashing, Digital Investigation 3, 2006).
//!
//! A digest is `size:one:two`: `one` has a character for each piece of the file, with pieces of about `size`
//! bytes, and `two` for pieces of twice that length. Digests can be compared if one size is equal to, or twice,
//! the other.

/// Maximum number of characters of a part of a digest.
const PART_MAX: usize = 64;
/// Minimum number of successive characters that two parts must have in common, so that they are compared.
pub(super) const COMMON_MIN: usize = 7;
/// Maximum number of equal characters in a row that count; longer rows say little.
const RUN_MAX: usize = 3;
/// The smallest size of pieces, in bytes.
const SIZE_MIN: u64 = 3;

/// A digest that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SsdeepDigest {
    size: u64,
    one: Vec<u8>,
    two: Vec<u8>,
}

impl SsdeepDigest {
    /// Reads a digest; `None` for other texts. A file name behind a comma is left out.
    pub(super) fn parse(text: &str) -> Option<SsdeepDigest> {
        let mut parts = text.split(',').next()?.splitn(3, ':');
        let size: u64 = parts.next()?.parse().ok().filter(|size| (SIZE_MIN..1 << 40).contains(size))?;
        let one = part(parts.next()?)?;
        let two = part(parts.next()?)?;
        Some(SsdeepDigest { size, one, two })
    }

    /// Returns the successive characters that other digests must share, each with the size of the pieces.
    pub(super) fn common_parts(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let of = |size, part| <[u8]>::windows(part, COMMON_MIN).map(move |characters| (size, characters));
        of(self.size, self.one.as_slice()).chain(of(self.size * 2, self.two.as_slice()))
    }

    /// Returns the score: 0 for files that are not alike, 100 for files that are the same or nearly so.
    pub(super) fn score(&self, other: &SsdeepDigest) -> u64 {
        if self.size == other.size {
            let one = part_score(&self.one, &other.one, self.size);
            return one.max(part_score(&self.two, &other.two, self.size * 2));
        }
        if self.size == other.size * 2 {
            return part_score(&self.one, &other.two, self.size);
        }
        if other.size == self.size * 2 {
            return part_score(&self.two, &other.one, other.size);
        }
        0
    }
}

/// Checks a part and shortens rows of equal characters.
fn part(text: &str) -> Option<Vec<u8>> {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    if text.len() > PART_MAX || !text.bytes().all(is_base64) {
        return None;
    }
    let mut part: Vec<u8> = Vec::new();
    for byte in text.bytes() {
        if !(part.len() >= RUN_MAX && part[part.len() - RUN_MAX..].iter().all(|known| *known == byte)) {
            part.push(byte);
        }
    }
    Some(part)
}

/// Returns the score of two parts for pieces of the same length.
fn part_score(a: &[u8], b: &[u8], size: u64) -> u64 {
    let shares =
        a.windows(COMMON_MIN).any(|characters| b.windows(COMMON_MIN).any(|other| other == characters));
    if !shares {
        return 0;
    }
    // Characters that have to be inserted into and removed from one part to get the other. The reference
    // implementation weighs a replaced character as much as one of each.
    let changed = (a.len() + b.len() - 2 * common_subsequence(a, b)) as u64;
    let all = (a.len() + b.len()) as u64;
    // The divisions round as in the reference implementation.
    let lost = changed * PART_MAX as u64 / all * 100 / PART_MAX as u64;
    // Parts with few characters for short pieces describe a small file and prove little.
    let most = size / SIZE_MIN * a.len().min(b.len()) as u64;
    100u64.saturating_sub(lost).min(most)
}

/// Returns the length of the longest common subsequence.
fn common_subsequence(a: &[u8], b: &[u8]) -> usize {
    let mut lengths = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (at, y) in b.iter().enumerate() {
            let above = lengths[at + 1];
            lengths[at + 1] = if x == y { diagonal + 1 } else { above.max(lengths[at]) };
            diagonal = above;
        }
    }
    lengths[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(a: &str, b: &str) -> u64 {
        SsdeepDigest::parse(a).unwrap().score(&SsdeepDigest::parse(b).unwrap())
    }

    /// The first pair is the example in the documentation of python-ssdeep, the second pair that in the tests of
    /// pydeep, with their scores.
    #[test]
    fn scores_are_those_of_the_reference_implementation() {
        let (a, b) = ("3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C", "3:AXGBicFlIHBGcL6wCrFQEv:AXGH6xLsr2C");
        assert_eq!((score(a, b), score(b, a)), (22, 22));
        let calc = "1536:JEl14rQcWAkN7GAlqbkfAGQGV8aMbrNyrf1w+noPvLV6eBsCXKc:JYmZWXyaiedMbrN6pnoXL1BsC";
        let notepad = "1536:0awOnbNQKLjWDyy1o5RefYMJUEbooPRrKKRl1P3:0YNQKPWDyDRefVJltZrpRl1P3";
        assert_eq!((score(calc, notepad), score(calc, calc)), (0, 100));
    }

    #[test]
    fn digests_of_neighbouring_sizes_are_compared_by_their_common_size() {
        let part = "abcdefghijklmnopqrstuvwxyz";
        let (small, large) = (format!("96:0123456789:{part}"), format!("192:{part}:0123456789"));
        assert_eq!((score(&small, &large), score(&large, &small)), (100, 100));
        assert_eq!(score(&small, &format!("384:{part}:{part}")), 0);
        let changed = format!("192:{}:x", part.replace("mno", "MNO"));
        assert_eq!(score(&large, &changed), 90);
    }

    #[test]
    fn other_texts_are_no_digests() {
        let long = format!("3:{}:a", "a".repeat(65));
        for text in ["", "3", "3:a", "x:a:b", "0:a:b", "3:\u{1b}:b", "99999999999999999999:a:b", &long] {
            assert_eq!(SsdeepDigest::parse(text), None, "{text}");
        }
        assert_eq!(SsdeepDigest::parse("3:aaaaaab:c,\"a.exe\""), SsdeepDigest::parse("3:aaab:c"));
    }
}
