//! Reports of sandboxes, in their public schemas.

use super::{Seeds, texts};

pub(crate) fn reports() -> Seeds {
    let mut seeds = texts(&[
        (
            "CAPE",
            r#"{"CAPE": {"configs": [{"Emotet": {}}]}, "info": {"version": "2.4-CAPE", "started": "2023-10-14 14:29:49", "duration": 492, "timeout": true, "machine": {"name": "win7"}}, "target": {"category": "file", "file": {"name": "a.exe", "md5": "a2eaf57c47a118e91a5edf694685eee7", "yara": [{"name": "UPX"}], "virustotal": {"results": [{"vendor": "V", "sig": "Worm.A"}]}}}, "detections": [{"family": "Emotet", "details": [{"Yara": "x"}]}], "signatures": [{"name": "s", "families": ["F"]}], "network": {"pcap_sha256": "00", "tcp": [{"src": "192.0.2.1", "sport": 1, "dst": "192.0.2.2", "dport": 445}], "dead_hosts": [["192.0.2.3", 445]]}}"#,
        ),
        (
            "Cuckoo",
            r#"{"info": {"version": "2.0.7", "started": 1472165098.9, "machine": "c"}, "target": {"file": {"md5": "A2EAF57C47A118E91A5EDF694685EEE7"}}, "detections": "Zbot", "static": {"pe_imphash": "1"}}"#,
        ),
        (
            "Cuckoo 3",
            r#"{"id": "20231014-AB12CD", "settings": {"timeout": 1}, "created_on": {"__isodt__": "2023-10-14T14:29:49.1"}, "target": {"sha1": "0123456789012345678901234567890123456789", "filename": "a"}}"#,
        ),
        ("Cuckoo 3, a task", r#"{"task_id": "20231014-AB12CD_1", "families": ["mirai"], "machine": "m"}"#),
        (
            "Triage",
            r#"{"sample": {"id": "x", "md5": "a2eaf57c47a118e91a5edf694685eee7", "created": "2023-10-14T14:29:49Z"}, "tasks": [{"name": "behavioral1", "resource": "r"}], "analysis": {"family": ["mirai"]}, "network": {"flows": [{"src": "10.0.0.1:1", "dst": "[fe80::1]:2", "proto": "tcp"}]}}"#,
        ),
        (
            "Joe Sandbox",
            r#"{"analysis": {"generalinfo": {"startdate": "14/10/2023", "starttime": "14:29:49", "duration": "0h 8m 12s"}, "fileinfo": {"md5": "a2eaf57c47a118e91a5edf694685eee7"}, "behavior": {"network": {"tcp": {"packet": [{"srcip": "10.0.0.1", "dstip": "10.0.0.2", "dstport": "1"}]}}}}}"#,
        ),
        ("other JSON", r#"{"a": [1, 2.5e300, -0, null, "\ud83e\udda0"]}"#),
        ("a lone surrogate", r#"{"info": {}, "target": {"file": {"name": "\ud83e"}}}"#),
        ("nothing", ""),
    ]);
    seeds.push(("deep", b"[".repeat(2_000)));
    seeds.push(("a long string", [&b"{\"info\": \""[..], &b"\\ud83e\\udda0".repeat(2_000), b"\"}"].concat()));
    seeds
}
