//! Packets and the pcap container.

use std::net::Ipv4Addr;

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, PacketBuilder, TcpHeader, UdpHeader};

/// Link types that captures are made with.
pub(crate) const ETHERNET: u32 = 1;
pub(crate) const RAW_IP: u32 = 101;

/// A pcap file, little-endian, times in microseconds.
pub(crate) struct Pcap {
    records: Vec<(u64, Vec<u8>)>,
    link: u32,
}

impl Pcap {
    pub(crate) fn new(link: u32) -> Pcap {
        Pcap { records: Vec::new(), link }
    }

    /// Adds a packet; `micros` since 1970. An IPv4 packet goes into an Ethernet frame where the link asks for it.
    pub(crate) fn add(&mut self, micros: u64, packet: Vec<u8>) {
        let framed = if self.link == ETHERNET { ethernet(0x0800, &packet) } else { packet };
        self.records.push((micros, framed));
    }

    /// Adds a frame as it is.
    pub(crate) fn add_frame(&mut self, micros: u64, frame: Vec<u8>) {
        self.records.push((micros, frame));
    }

    /// The file: packets in time order, those of one time as they were added.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.records.sort_by_key(|(micros, _)| *micros);
        let mut out = Vec::new();
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, self.link] {
            out.extend(u32::to_le_bytes(word));
        }
        for (micros, packet) in &self.records {
            let length = u32::try_from(packet.len()).unwrap();
            let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
            for word in [u32::try_from(seconds).unwrap(), u32::try_from(rest).unwrap(), length, length] {
                out.extend(word.to_le_bytes());
            }
            out.extend(packet);
        }
        out
    }
}

/// An Ethernet frame from the sandbox's victim to its gateway.
pub(crate) fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Both ends of a packet: address and port.
pub(crate) type End = (Ipv4Addr, u16);

fn header(from: Ipv4Addr, to: Ipv4Addr, protocol: IpNumber, id: u16) -> Ipv4Header {
    let mut header = Ipv4Header::new(0, 128, protocol, from.octets(), to.octets()).unwrap();
    (header.identification, header.dont_fragment, header.fragment_offset) = (id, true, IpFragOffset::ZERO);
    header
}

/// A TCP packet; `flags` are letters of `FSRPAU`.
pub(crate) fn tcp(from: End, to: End, flags: &str, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut tcp = TcpHeader::new(from.1, to.1, sequence, 65_535);
    let has = |letter| flags.contains(letter);
    (tcp.fin, tcp.syn, tcp.rst, tcp.psh, tcp.ack) = (has('F'), has('S'), has('R'), has('P'), has('A'));
    tcp.acknowledgment_number = u32::from(tcp.ack);
    if tcp.syn {
        // Maximum segment size 1460, then selective acknowledgements, as Windows XP sent them.
        tcp.set_options_raw(&[2, 4, 5, 180, 1, 1, 4, 2]).unwrap();
    }
    let mut ip = header(from.0, to.0, IpNumber::TCP, u16::try_from(sequence & 0xffff).unwrap());
    ip.set_payload_len(tcp.header_len() + payload.len()).unwrap();
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, payload).unwrap();
    let mut out = Vec::new();
    ip.header_checksum = ip.calc_header_checksum();
    ip.write(&mut out).unwrap();
    tcp.write(&mut out).unwrap();
    out.extend(payload);
    out
}

/// A UDP packet.
pub(crate) fn udp(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let udp = UdpHeader::with_ipv4_checksum(from.1, to.1, &header(from.0, to.0, IpNumber::UDP, 0), payload)
        .unwrap();
    let mut ip = header(from.0, to.0, IpNumber::UDP, from.1);
    ip.set_payload_len(udp.header_len() + payload.len()).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let mut out = Vec::new();
    ip.write(&mut out).unwrap();
    udp.write(&mut out).unwrap();
    out.extend(payload);
    out
}

/// An ICMP echo request.
pub(crate) fn ping(from: Ipv4Addr, to: Ipv4Addr, sequence: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv4(from.octets(), to.octets(), 128).icmpv4_echo_request(512, sequence);
    builder.write(&mut out, b"abcdefghijklmnopqrstuvwabcdefghi").unwrap();
    out
}

/// An ARP request in its Ethernet frame.
pub(crate) fn arp_request(from: Ipv4Addr, whom: Ipv4Addr) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0, 0, 0, 2];
    arp.extend(from.octets());
    arp.extend([0; 6]);
    arp.extend(whom.octets());
    ethernet(0x0806, &arp)
}

/// A DNS query for the address of a name, or with `answer` its answer.
pub(crate) fn dns(id: u16, name: &str, answer: Option<Ipv4Addr>) -> Vec<u8> {
    use simple_dns::rdata::{A, RData};
    use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, ResourceRecord, TYPE};
    let name = Name::new(name).unwrap();
    let mut packet = if answer.is_some() { Packet::new_reply(id) } else { Packet::new_query(id) };
    packet.questions.push(Question::new(name.clone(), QTYPE::TYPE(TYPE::A), QCLASS::CLASS(CLASS::IN), false));
    if let Some(address) = answer {
        let data = RData::A(A { address: u32::from(address) });
        packet.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
    }
    packet.build_bytes_vec().unwrap()
}
