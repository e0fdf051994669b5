//! Edits of seeds, as strategies of proptest: a failure shrinks to the fewest edits that still make it.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change of some bytes.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Flip(Index, u8),
    Set(Index, u8),
    /// A number of 1, 2, 4 or 8 bytes, in either byte order.
    Number(Index, u64, u8, bool),
    Word(Index, &'static str),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Some bytes once more, elsewhere.
    Copy(Index, Index, usize),
    Cut(Index),
    /// The rest of another seed from a place on.
    Join(Index, Index, Index),
}

/// Numbers at which readers go wrong: lengths, counts, times.
const NUMBERS: [u64; 16] = [
    0,
    1,
    4,
    16,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x00ff_ffff,
    0x0100_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Words that mean something to some reader.
const WORDS: [&str; 40] = [
    "\n",
    "\r\n",
    " > ",
    "IP ",
    "IP6 ",
    ": ",
    ".",
    "-",
    "00:00:00.000000 ",
    "1235955600.123456 ",
    "99999999:59:59 ",
    "2009-03-02T12:00:00.000000000Z ",
    "9999-12-31 23:59:59.999999 ",
    "0000-00-00 ",
    "[|tcp]",
    "Flags [S]",
    "\u{feff}",
    "\u{202e}",
    "\u{0}",
    "\u{1b}[31m",
    "&a ",
    "*a",
    "<<: *a\n",
    "---\n",
    "...\n",
    "!!binary ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    "null",
    "~",
    ".inf",
    "-.nan",
    "1e999",
    "0x7fffffffffffffff",
    "18446744073709551616",
    "../../etc/passwd",
    "\"",
];

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let number = prop_oneof![3 => prop::sample::select(&NUMBERS[..]), 1 => any::<u64>()];
    prop_oneof![
        4 => (at(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        4 => (at(), number, 0u8..4, any::<bool>()).prop_map(|(at, value, width, big)| Edit::Number(at, value, width, big)),
        3 => (at(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Edit::Word(at, word)),
        2 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (at(), 1usize..40).prop_map(|(at, size)| Edit::Remove(at, size)),
        2 => (at(), at(), 1usize..200).prop_map(|(from, to, size)| Edit::Copy(from, to, size)),
        1 => at().prop_map(Edit::Cut),
        2 => (at(), at(), at()).prop_map(|(at, other, from)| Edit::Join(at, other, from)),
    ]
}

/// Some bytes after some edits, at most so many bytes.
pub(crate) fn edited(seeds: &[Vec<u8>], seed: &Index, edits: &[Edit], bytes_max: usize) -> Vec<u8> {
    let mut bytes = seed.get(seeds).clone();
    for edit in edits {
        apply(edit, &mut bytes, seeds);
        bytes.truncate(bytes_max);
    }
    bytes
}

fn apply(edit: &Edit, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
    let insert =
        |bytes: &mut Vec<u8>, at: usize, more: &[u8]| drop(bytes.splice(at..at, more.iter().copied()));
    match edit {
        Edit::Flip(at, bit) => {
            let at = place(at, bytes);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
        }
        Edit::Set(at, value) => {
            let at = place(at, bytes);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte = *value);
        }
        Edit::Number(at, value, width, big_endian) => {
            let (at, width) = (place(at, bytes), 1usize << width);
            let number = if *big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            let number = if *big_endian { &number[8 - width..] } else { &number[..width] };
            bytes.get_mut(at..at + width).into_iter().for_each(|room| room.copy_from_slice(number));
        }
        Edit::Word(at, word) => {
            let at = place(at, bytes);
            insert(bytes, at, word.as_bytes());
        }
        Edit::Insert(at, more) => {
            let at = place(at, bytes);
            insert(bytes, at, more);
        }
        Edit::Remove(at, size) => {
            let at = place(at, bytes);
            let end = (at + size).min(bytes.len());
            bytes.drain(at..end);
        }
        Edit::Copy(from, to, size) => {
            let (from, to) = (place(from, bytes), place(to, bytes));
            let part = bytes[from..(from + size).min(bytes.len())].to_vec();
            insert(bytes, to, &part);
        }
        Edit::Cut(at) => bytes.truncate(place(at, bytes)),
        Edit::Join(at, other, from) => {
            let other = other.get(seeds);
            bytes.truncate(place(at, bytes));
            bytes.extend(&other[place(from, other)..]);
        }
    }
}
