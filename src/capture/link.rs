//! Link layers: removes the headers before the network layer.

use super::Problem;
use super::header::NetworkProtocol;
use super::link_ethernet::{
    LAYERS_MAX, StrippedFrame, bytes_from, ether_type, ethernet, loopback, ppp, pppoe, u16_at,
};
use super::{link_cooked, link_filter};

/// The link type of Ethernet.
pub(super) const ETHERNET: i32 = 1;

/// The other link types, by their numbers in capture files (tcpdump.org/linktypes.html).
mod link_type {
    pub(super) const NULL: i32 = 0;
    pub(super) const TOKEN_RING: i32 = 6;
    pub(super) const PPP: i32 = 9;
    pub(super) const FDDI: i32 = 10;
    /// Numbers of raw IP: those that some systems use, and the registered one (101).
    pub(super) const RAW_ALIASES: [i32; 3] = [12, 14, 101];
    pub(super) const PPP_HDLC: i32 = 50;
    pub(super) const PPP_ETHER: i32 = 51;
    pub(super) const C_HDLC: i32 = 104;
    pub(super) const IEEE802_11: i32 = 105;
    pub(super) const FRELAY: i32 = 107;
    pub(super) const LOOP: i32 = 108;
    pub(super) const ENC: i32 = 109;
    pub(super) const LINUX_SLL: i32 = 113;
    pub(super) const PFLOG: i32 = 117;
    pub(super) const RADIOTAP: i32 = 127;
    pub(super) const JUNIPER_ETHER: i32 = 178;
    pub(super) const PPI: i32 = 192;
    pub(super) const IPNET: i32 = 226;
    pub(super) const IPV4: i32 = 228;
    pub(super) const IPV6: i32 = 229;
    pub(super) const NFLOG: i32 = 239;
    /// The registered number, and the private number that Apple's systems write.
    pub(super) const PKTAP: [i32; 2] = [149, 258];
    pub(super) const LINUX_SLL2: i32 = 276;
}

/// Removes the link headers of a frame of the given link type.
#[inline]
pub(super) fn strip(link: i32, frame: &[u8]) -> StrippedFrame<'_> {
    let (mut link, mut frame) = (link & 0x0fff_ffff, frame);
    // PPI and PKTAP name the link type of the frame behind them, which may be one of the two again.
    for _ in 0..=LAYERS_MAX {
        (link, frame) = match link {
            tap if link_type::PKTAP.contains(&tap) => link_cooked::pktap(frame)?,
            link_type::PPI => link_cooked::ppi(frame)?,
            other => return strip_network(other, frame),
        };
    }
    Err(Problem::MalformedHeader)
}

/// Removes the link headers of a frame whose link type determines the layout of what follows.
#[inline]
fn strip_network(link: i32, frame: &[u8]) -> StrippedFrame<'_> {
    match link {
        ETHERNET => ethernet(frame),
        raw if link_type::RAW_ALIASES.contains(&raw) => Ok((NetworkProtocol::Ip, frame)),
        link_type::IPV4 => Ok((NetworkProtocol::Ipv4, frame)),
        link_type::IPV6 => Ok((NetworkProtocol::Ipv6, frame)),
        link_type::NULL | link_type::LOOP => loopback(frame),
        link_type::PPP | link_type::PPP_HDLC => ppp(frame),
        link_type::PPP_ETHER => pppoe(frame),
        link_type::C_HDLC => ether_type(u16_at(frame, 2)?, bytes_from(frame, 4)?, 0),
        link_type::LINUX_SLL => link_cooked::sll(frame),
        link_type::LINUX_SLL2 => link_cooked::sll2(frame),
        link_type::IPNET => link_cooked::ipnet(frame),
        link_type::JUNIPER_ETHER => ethernet(link_cooked::juniper(frame)?),
        link_type::RADIOTAP => link_cooked::radiotap(frame),
        link_type::IEEE802_11 => link_cooked::ieee80211(frame),
        link_type::FRELAY => link_cooked::frame_relay(frame),
        link_type::FDDI => link_cooked::fddi(frame),
        link_type::TOKEN_RING => link_cooked::token_ring(frame),
        link_type::NFLOG => link_filter::nflog(frame),
        link_type::PFLOG => link_filter::pflog(frame),
        link_type::ENC => link_filter::enc(frame),
        other => Err(Problem::UnknownLinkType(Some(other))),
    }
}
