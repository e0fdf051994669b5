//! The pcapng container, with statistics of its interfaces.

/// A pcapng file of either byte order with one interface of raw IP a link, times in nanoseconds.
pub(super) struct PcapNg {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl PcapNg {
    pub(super) fn new(big_endian: bool, interfaces: u32) -> PcapNg {
        let mut file = PcapNg { big_endian, bytes: Vec::new() };
        let mut section = Vec::new();
        file.put(&mut section, 0x1a2b_3c4d_u32);
        section.extend(if big_endian { [0, 1, 0, 0] } else { [1, 0, 0, 0] });
        section.extend([0xff; 8]);
        file.block(0x0a0d_0d0a, &section);
        for _ in 0..interfaces {
            let link = if big_endian { [0, 101, 0, 0] } else { [101, 0, 0, 0] };
            let mut body = link.to_vec();
            file.put(&mut body, 0);
            // if_tsresol 9, and the end of options.
            body.extend(if big_endian { [0, 9, 0, 1] } else { [9, 0, 1, 0] });
            body.extend([9, 0, 0, 0, 0, 0, 0, 0]);
            file.block(1, &body);
        }
        file
    }

    fn put(&self, out: &mut Vec<u8>, word: u32) {
        out.extend(if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = u32::try_from(body.len() + 12).unwrap();
        let mut block = Vec::new();
        self.put(&mut block, kind);
        self.put(&mut block, length);
        block.extend(body);
        self.put(&mut block, length);
        self.bytes.extend(block);
    }

    pub(super) fn packet(&mut self, interface: u32, nanoseconds: u64, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap();
        let mut body = Vec::new();
        let (high, low) = (nanoseconds >> 32, nanoseconds & 0xffff_ffff);
        for word in [interface, u32::try_from(high).unwrap(), u32::try_from(low).unwrap(), length, length] {
            self.put(&mut body, word);
        }
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(6, &body);
    }

    /// A statistics block with `isb_ifdrop` (5) or `isb_osdrop` (7) and their values.
    pub(super) fn statistics(&mut self, interface: u32, options: &[(u16, u64)]) {
        let mut body = Vec::new();
        for word in [interface, 0, 0] {
            self.put(&mut body, word);
        }
        for (code, value) in options {
            let (code, length) = if self.big_endian {
                (code.to_be_bytes(), 8u16.to_be_bytes())
            } else {
                (code.to_le_bytes(), 8u16.to_le_bytes())
            };
            body.extend(code);
            body.extend(length);
            body.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
        }
        body.extend([0; 4]);
        self.block(5, &body);
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}
