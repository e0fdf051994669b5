//! Decodes the frames of a container and passes on their packets.

use std::net::{IpAddr, Ipv4Addr};

use crate::packet::{Packet, Protocol, Timestamp};

use super::{CapturePosition, PacketSink, Problem, Problems, fast_path, header, link};

/// Updates the time of the last packet, and whether times never ran backwards.
pub(super) fn note_order(time: Option<Timestamp>, last: &mut Option<Timestamp>, ordered: &mut bool) {
    if time.is_some() {
        *ordered &= *last <= time;
        *last = time;
    }
}

/// Decodes the frames of a container, passes on their packets, and counts problems.
pub(super) struct FrameDecoder<'a, 'b> {
    pub(super) sink: &'a mut PacketSink<'b>,
    /// The current packet, reused for all frames.
    packet: Packet,
    pub(super) problems: Problems,
    pub(super) packets: u64,
    /// Whether times never ran backwards.
    pub(super) ordered: bool,
    /// The time of the last packet that has a time.
    pub(super) last_time: Option<Timestamp>,
    /// The number of packets that the recorder dropped, over all interfaces, if the capture states it.
    pub(super) dropped: Option<u64>,
}

impl<'a, 'b> FrameDecoder<'a, 'b> {
    pub(super) fn new(sink: &'a mut PacketSink<'b>) -> FrameDecoder<'a, 'b> {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let packet = Packet::new(nowhere, nowhere, Protocol::Arp);
        FrameDecoder {
            sink,
            packet,
            problems: Problems::default(),
            packets: 0,
            ordered: true,
            last_time: None,
            dropped: None,
        }
    }

    /// Counts a problem at a place of the capture.
    pub(super) fn count_problem(&mut self, problem: Problem, place: CapturePosition) {
        self.problems.count(problem, place);
    }

    /// Replaces the earlier number of lost packets of one interface by a later one.
    pub(super) fn replace_dropped(&mut self, earlier: Option<u64>, later: u64) {
        let others = self.dropped.unwrap_or(0).saturating_sub(earlier.unwrap_or(0));
        self.dropped = Some(others.saturating_add(later));
    }

    /// Decodes a frame of the given link type and passes its packet on, or counts a problem.
    #[inline]
    pub(super) fn decode(
        &mut self,
        link: i32,
        frame: &[u8],
        time: Option<Timestamp>,
        place: CapturePosition,
    ) {
        if link == link::ETHERNET
            && let Some(payload) = fast_path::decode(frame, time, &mut self.packet)
        {
            return self.emit(payload);
        }
        let packet = &mut self.packet;
        let decoded =
            link::strip(link, frame).and_then(|(network, data)| header::decode(network, data, packet));
        match decoded {
            Ok((payload, problem)) => {
                *packet = packet.with_time(time);
                self.emit(payload);
                problem.into_iter().for_each(|problem| self.problems.count(problem, place));
            }
            Err(problem) => self.problems.count(problem, place),
        }
    }

    #[inline]
    fn emit(&mut self, payload: &[u8]) {
        note_order(self.packet.time(), &mut self.last_time, &mut self.ordered);
        self.packets += 1;
        (self.sink)(&self.packet, payload);
    }
}
