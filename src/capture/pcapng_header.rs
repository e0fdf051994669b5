//! The header of a pcapng section, by which the container is recognized.

/// Type of a section header block. It reads the same in either byte order.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// Byte order magic of a section header block.
const MAGIC: u32 = 0x1a2b_3c4d;

/// Returns whether the first bytes are a pcapng section header.
pub(super) fn is_pcapng(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_le_bytes()) && is_big_endian(head).is_some()
}

/// Returns whether the first bytes are those of a pcapng that can be read.
pub(super) fn is_readable(bytes: &[u8]) -> bool {
    is_pcapng(bytes) && refusal(bytes).is_none()
}

/// Returns the reason why a pcapng cannot be read at all.
pub(super) fn refusal(head: &[u8]) -> Option<String> {
    let big_endian = is_big_endian(head)?;
    let number = |at: usize| -> Option<u16> {
        let bytes: [u8; 2] = head.get(at..at + 2)?.try_into().ok()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let (major, minor) = (number(12)?, number(14)?);
    // Version 1.2 was written by mistake for 1.0 and means the same (draft-ietf-opsawg-pcapng, section header
    // block).
    (major != 1 || !matches!(minor, 0 | 2))
        .then(|| format!("a pcapng of the unknown version {major}.{minor}"))
}

/// Returns whether a section is big-endian; `None` if it has no valid byte order magic.
pub(super) fn is_big_endian(section: &[u8]) -> Option<bool> {
    let magic: [u8; 4] = section.get(8..12)?.try_into().ok()?;
    match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
        (MAGIC, _) => Some(true),
        (_, MAGIC) => Some(false),
        _ => None,
    }
}
