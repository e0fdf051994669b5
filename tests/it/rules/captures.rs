//! The captures of the corpora in which rules match. Each list was compared with what tshark shows: the identification
//! 54321 in 343 of 629 packets of `srvloc.pcap`; answers of DNS, NTP, IKE and QUIC from the services' ports.

/// Rules that match in many captures of live networks, whose names say no more than what was sent: questions, answers and
/// probes of hosts that know each other.
pub(super) const ANYWHERE: &[&str] = &[
    "backscatter-icmp",
    "backscatter-rst",
    "backscatter-syn-ack",
    "echo-request",
    "high-port-probe-tcp",
    "high-port-probe-udp",
    "icmp-answer",
    "seed-type-3",
    "to-group",
];

/// Captures in which a UDP service answers.
const UDP_ANSWERS: &[&str] = &[
    "cuckoo/duplicate-dns-requests.pcap",
    "cuckoo/mixed-traffic.pcap",
    "id2t/sality_botnet.pcap",
    "libpcap/http_PPI.pcap",
    "libtrace/100_packets.pcap",
    "libtrace/100_packets.pcapng",
    "libtrace/100_packetsns.pcap",
    "libtrace/100_seconds.pcap",
    "ndpi/KakaoTalk_talk.pcap",
    "pcap-parser/ntp.pcap",
    "pcap-parser/wireshark_samples-test.pcapng",
    "pcapplusplus/DnsPackets.pcap",
    "pcapplusplus/linktype_ipv4.pcap",
    "pcapplusplus/many_interfaces-1.pcapng",
    "pcapplusplus/raw_ip.pcap",
    "stratosphere/test7-malicious.pcap",
    "stratosphere/test8-malicious.pcap",
    "tcpdump-tests-2008/4.0/tests/ikev2four.pcap",
    "tcpdump-tests/tests/ISAKMP_sa_setup.pcap",
    "tcpdump-tests/tests/dns_udp.pcap",
    "tcpdump-tests/tests/dns_udp_2.pcap",
    "tcpdump-tests/tests/esp_truncated.pcap",
    "tcpdump-tests/tests/ikev1_id_ipv6_addr_subnet-oobr.pcap",
    "tcpdump-tests/tests/ikev2four.pcap",
    "tcpdump-tests/tests/isakmp-ikev1_n_print-oobr.pcap",
    "tcpdump-tests/tests/isakmp-rfc3948-oobr.pcap",
    "tcpdump-tests/tests/isakmp-various-oobr.pcap",
    "tcpdump-tests/tests/ntp-time.pcap",
    "tcpdump-tests/tests/ntp.pcap",
];

/// Rules with the captures of the corpora in which they match; no other rule matches in any.
pub(super) const MAY_MATCH: &[(&str, &[&str])] = &[
    ("arp-sweep", &["stratosphere/test8-malicious.pcap"]),
    ("backscatter-udp", UDP_ANSWERS),
    ("ping-sweep", &["libpcap/gateway_or_not.pcap", "stratosphere/test12-icmp-portscan.pcap"]),
    ("port-scan", &["ncsa-simple-scan/port_scan.pcap", "ndpi/synscan.pcap"]),
    (
        "random-scan",
        &[
            // Peers of a list are asked in no order; a window does not show that there is a list.
            "ndpi/gnutella.pcap",
            "cuckoo/mixed-traffic.pcap",
            "httpreplay/2015-01-02-post-infection.pcap",
            "ndpi/ethereum.pcap",
            "ndpi/srvloc.pcap",
            "pcap-parser/ntp.pcap",
            "pcapplusplus/many_interfaces-1.pcapng",
            "stratosphere/test7-malicious.pcap",
        ],
    ),
    ("seed-type-2", &["ncsa-simple-scan/445_scan.pcap"]),
    ("sequential-scan", &["ncsa-simple-scan/scan_with_zero_windows.pcap"]),
    ("slp-request", &["ndpi/srvloc.pcap"]),
    ("smb1-negotiate", &["id2t/Win7_eternalblue_scan.pcap"]),
    (
        "ssdp-search",
        &[
            "cuckoo/dump.pcap",
            "cuckoo/mixed-traffic.pcap",
            "id2t/sality_botnet.pcap",
            "ndpi/gnutella.pcap",
            "pcap-parser/wireshark_samples-test.pcapng",
            "tcpdump-tests-2008/3.9/tests/eapon1.pcap",
            "tcpdump-tests-2008/4.0/tests/eapon1.pcap",
        ],
    ),
    (
        "traceroute",
        &[
            "tcpdump-tests-2008/3.9/tests/mpls-traceroute.pcap",
            "tcpdump-tests-2008/4.0/tests/mpls-traceroute.pcap",
        ],
    ),
    ("udp-answer", UDP_ANSWERS),
    ("zmap", &["ndpi/srvloc.pcap"]),
];
