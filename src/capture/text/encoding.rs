//! Decodes UTF-16, which PowerShell's `>` writes, to UTF-8 while it is read, in a few kilobytes of memory.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

/// The byte order mark of UTF-8. It says nothing about byte order and is removed.
pub(super) const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
/// Maximum number of bytes that are decoded at a time.
const CHUNK: usize = 16 * 1024;

/// The byte order of UTF-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// Returns the byte order by the byte order mark. Returns `None` for a text that is not UTF-16 or has no
/// mark.
pub(super) fn byte_order(head: &[u8]) -> Option<ByteOrder> {
    match head {
        [0xff, 0xfe, ..] => Some(ByteOrder::Little),
        [0xfe, 0xff, ..] => Some(ByteOrder::Big),
        _ => None,
    }
}

/// Returns the first bytes of a text as UTF-8, without a byte order mark.
pub(super) fn decode_head(head: &[u8]) -> Cow<'_, [u8]> {
    let Some(order) = byte_order(head) else {
        return Cow::Borrowed(head.strip_prefix(UTF8_MARK).unwrap_or(head));
    };
    let mut decoder = Utf16Decoder { order, high_surrogate: None };
    let mut text = Vec::with_capacity(head.len());
    decoder.push(&head[2..], &mut text);
    Cow::Owned(text)
}

/// A decoder of successive 16-bit units.
struct Utf16Decoder {
    order: ByteOrder,
    /// The first half of a character beyond 16 bits (a high surrogate), until the second half is read.
    high_surrogate: Option<u16>,
}

impl Utf16Decoder {
    /// Appends the text of all whole units. An odd byte at the end is ignored.
    fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for pair in bytes.chunks_exact(2) {
            let unit = match self.order {
                ByteOrder::Little => u16::from_le_bytes([pair[0], pair[1]]),
                ByteOrder::Big => u16::from_be_bytes([pair[0], pair[1]]),
            };
            self.unit(unit, text);
        }
    }

    fn unit(&mut self, unit: u16, text: &mut Vec<u8>) {
        if unit < 0x80 && self.high_surrogate.is_none() {
            text.extend(u8::try_from(unit));
            return;
        }
        let high = self.high_surrogate.take();
        if matches!(unit, 0xd800..=0xdbff) {
            high.into_iter().for_each(|_| append(char::REPLACEMENT_CHARACTER, text));
            self.high_surrogate = Some(unit);
            return;
        }
        for character in char::decode_utf16(high.into_iter().chain([unit])) {
            append(character.unwrap_or(char::REPLACEMENT_CHARACTER), text);
        }
    }
}

fn append(character: char, text: &mut Vec<u8>) {
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A reader that decodes UTF-16 to UTF-8. Its memory does not grow with the text.
pub(super) struct Utf16Reader<'a> {
    source: &'a mut dyn BufRead,
    decoder: Utf16Decoder,
    /// Decoded text.
    text: Vec<u8>,
    /// Number of bytes of `text` that have been read.
    read: usize,
}

impl<'a> Utf16Reader<'a> {
    /// Creates a reader, and skips the byte order mark.
    pub(super) fn new(source: &'a mut dyn BufRead, order: ByteOrder) -> io::Result<Utf16Reader<'a>> {
        source.read_exact(&mut [0; 2])?;
        Ok(Utf16Reader {
            source,
            decoder: Utf16Decoder { order, high_surrogate: None },
            text: Vec::new(),
            read: 0,
        })
    }

    /// Decodes the next bytes of the source.
    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.read = 0;
        while self.text.is_empty() {
            let ahead = self.source.fill_buf()?;
            match ahead.len().min(CHUNK) {
                0 => {
                    let cut = self.decoder.high_surrogate.take();
                    cut.into_iter().for_each(|_| append(char::REPLACEMENT_CHARACTER, &mut self.text));
                    return Ok(());
                }
                1 => {
                    // Half a unit: either the other half is not buffered yet, or the text was cut here.
                    let mut unit = [0; 2];
                    let got = self.source.read(&mut unit)?;
                    let more = if got == 1 { self.source.read(&mut unit[1..])? } else { 1 };
                    match more {
                        0 => append(char::REPLACEMENT_CHARACTER, &mut self.text),
                        _ => self.decoder.push(&unit, &mut self.text),
                    }
                }
                length => {
                    let whole = length - length % 2;
                    self.decoder.push(&ahead[..whole], &mut self.text);
                    self.source.consume(whole);
                }
            }
        }
        Ok(())
    }
}

impl Read for Utf16Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        crate::capture::bytes::read_buffered(self, into)
    }
}

impl BufRead for Utf16Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read >= self.text.len() {
            self.fill()?;
        }
        Ok(&self.text[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read = self.text.len().min(self.read + count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str, order: ByteOrder) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            ByteOrder::Little => unit.to_le_bytes(),
            ByteOrder::Big => unit.to_be_bytes(),
        };
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    proptest! {
        #[test]
        fn every_text_comes_out_as_it_went_in(text in any::<String>(), room in 1usize..9, little: bool) {
            let order = if little { ByteOrder::Little } else { ByteOrder::Big };
            let bytes = encoded(&text, order);
            prop_assert_eq!(super::byte_order(&bytes), Some(order));
            prop_assert_eq!(&*decode_head(&bytes), text.as_bytes());
            // The source returns a few bytes at a time, so that units and characters are split.
            let mut source = io::BufReader::with_capacity(room, bytes.as_slice());
            let mut read = Vec::new();
            Utf16Reader::new(&mut source, order).unwrap().read_to_end(&mut read).unwrap();
            prop_assert_eq!(read, text.as_bytes());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let bytes = [&b"\xff\xfe"[..], &bytes].concat();
            let mut read = Vec::new();
            Utf16Reader::new(&mut bytes.as_slice(), ByteOrder::Little).unwrap().read_to_end(&mut read).unwrap();
            prop_assert!(std::str::from_utf8(&read).is_ok());
        }
    }
}
