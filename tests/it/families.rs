//! Malware families by vendors' names: 300 sets of names in the vendors' naming habits.
//!
//! The habits are from the vendors' own rules: Kaspersky, "Rules for naming"; Microsoft, "Malware names" (CARO); Symantec,
//! "Virus naming conventions"; Trend Micro, "New malware naming scheme"; and from the names in the reports of the corpora.
//! The names of a family are those that its vendors use.

use std::collections::BTreeMap;

use inga::rules::Rules;

/// How vendors write a family, `{}`, with a variant.
const HABITS: [(&str, &str); 14] = [
    ("Kaspersky", "HEUR:Net-Worm.Win32.{}.gen"),
    ("Microsoft", "Worm:Win32/{}.B!MTB"),
    ("Symantec", "W32.{}.C"),
    ("TrendMicro", "WORM_{}.SMB"),
    ("ESET-NOD32", "a variant of Win32/{}.AK"),
    ("Sophos", "Mal/{}-A"),
    ("Avast", "ELF:{}-D [Trj]"),
    ("DrWeb", "Linux.{}.54"),
    ("Fortinet", "W32/{}.A!tr"),
    ("BitDefender", "Win32.Worm.{}.Gen"),
    ("Ikarus", "Trojan.Linux.{}"),
    ("Avira", "WORM/{}.ihtgk"),
    ("ClamAV", "Unix.Trojan.{}-6976991-0"),
    ("Rising", "Backdoor.{}!8.A66 (TFE:14:abc)"),
];

/// Names that say nothing, as most vendors give them to new files.
const GENERIC: [(&str, &str); 12] = [
    ("McAfee", "Artemis!8268F3B39F2C"),
    ("CrowdStrike", "win/malicious_confidence_100% (W)"),
    ("Elastic", "malicious (high confidence)"),
    ("SentinelOne", "Static AI - Malicious ELF"),
    ("GData", "Trojan.GenericKD.36897888"),
    ("FireEye", "Generic.mg.8268f3b39f2c5928"),
    ("Cynet", "Malicious (score: 100)"),
    ("APEX", "Malicious"),
    ("Panda", "Trj/Genetic.gen"),
    ("MaxSecure", "Trojan.Malware.300983.susgen"),
    ("VBA32", "BScope.Trojan.Agent"),
    ("AhnLab-V3", "Malware/Gen.Generic.C4321"),
];

/// Families with the names that vendors use for them.
const FAMILIES: [&[&str]; 52] = [
    &["Mirai", "Mirai", "Okiru"],
    &["Gafgyt", "Bashlite", "Gafgyt", "Lizkebab"],
    &["Hajime"],
    &["Mozi"],
    &["Tsunami", "Kaiten", "Tsunami", "Muhstik"],
    &["XorDDoS", "XorDDoS", "Xarcen"],
    &["BillGates", "Setag", "Elknot", "BillGates"],
    &["Dofloo", "AESDDoS", "Dofloo", "MrBlack"],
    &["Aidra", "LightAidra", "Zendran"],
    &["Darlloz", "Darlloz", "Zollard"],
    &["Remaiten", "Remaiten", "KTNRM"],
    &["Conficker", "Kido", "Downadup", "DOWNAD", "Conficker"],
    &["Sasser"],
    &["Blaster", "Lovsan", "MSBLAST", "Blaster"],
    &["Slammer", "SQLSlammer", "Helkern", "SQLExp"],
    &["Nimda"],
    &["Welchia", "Nachi", "Welchia"],
    &["Agobot", "Gaobot", "Agobot", "Phatbot"],
    &["Sdbot"],
    &["Spybot"],
    &["Rbot"],
    &["Zotob"],
    &["Korgo", "Padobot", "Korgo"],
    &["Allaple", "Rahack", "Allaple", "Starman"],
    &["Morto"],
    &["WannaCry", "WannaCryptor", "Wanna", "WannaCrypt", "WCRY"],
    &["NotPetya", "ExPetr", "NotPetya", "Nyetya"],
    &["Dorkbot", "NgrBot", "Dorkbot"],
    &["Palevo", "Rimecud", "Palevo", "Pilleuz"],
    &["Koobface"],
    &["Phorpiex", "Phorpiex", "Trik"],
    &["Mydoom", "Novarg", "Mydoom"],
    &["Bagle", "Beagle", "Bagle"],
    &["Netsky", "Netsky", "Moodown"],
    &["Nuwar", "Zhelatin", "Peacomm", "Nuwar"],
    &["Waledac", "Waled", "Waledac"],
    &["Emotet", "Heodo", "Emotet", "Geodo"],
    &["TrickBot", "Trickster", "TrickBot"],
    &["Qakbot", "Qbot", "Qakbot", "Pinkslipbot"],
    &["Ramnit", "Ramnit", "Rmnet"],
    &["Sality", "Sality", "Kashu"],
    &["Virut", "Virtob", "Virut"],
    &["Zbot", "Zbot", "Zeus"],
    &["njRAT", "Bladabindi", "njRAT"],
    &["Andromeda", "Gamarue", "Androm", "Wauchos"],
    &["ZeroAccess", "Sirefef", "ZAccess"],
    // Families that are not listed.
    &["Sysrv"],
    &["Kaiji"],
    &["Echobot"],
    &["Hoaxcalls"],
    &["Prowli"],
    &["Gitpaste"],
];

/// The names of a set: of so many vendors that name the family, one that names another, and others that say nothing.
fn names(at: usize, family: &[&str], vendors: usize, stray: Option<&str>) -> BTreeMap<String, String> {
    let used = if family.len() == 1 { family } else { &family[1..] };
    let mut names = BTreeMap::new();
    for place in 0..vendors {
        let (vendor, habit) = HABITS[(at + place * 5) % HABITS.len()];
        names.insert(vendor.to_owned(), habit.replace("{}", used[(at + place) % used.len()]));
    }
    for place in 0..4 + at % 6 {
        let (vendor, name) = GENERIC[(at * 7 + place) % GENERIC.len()];
        names.insert(vendor.to_owned(), name.to_owned());
    }
    names.extend(stray.map(|stray| ("Zillya".to_owned(), format!("Worm.{stray}.Win32.{at}"))));
    names
}

#[test]
fn three_hundred_sets_of_names_give_the_right_family() {
    let families = Rules::shipped().unwrap().families;
    let (mut all, mut right, mut wrong) = (0, 0, Vec::new());
    let mut check = |names: &BTreeMap<String, String>, expected: Option<&str>| {
        let found = families.vote(names).map(|vote| vote.family);
        all += 1;
        match (&found, expected) {
            (Some(found), Some(expected)) if found.eq_ignore_ascii_case(expected) => right += 1,
            (None, None) => right += 1,
            (None, Some(_)) => {}
            _ => wrong.push(format!("{found:?} instead of {expected:?} for {names:?}")),
        }
    };
    for (at, family) in FAMILIES.iter().enumerate() {
        let stray = FAMILIES[(at + 13) % FAMILIES.len()][0];
        for (vendors, stray) in [(3, None), (4, Some(stray)), (5, None), (7, Some(stray)), (10, None)] {
            check(&names(at * 3 + vendors, family, vendors, stray), Some(family[0]));
        }
    }
    for (at, family) in FAMILIES.iter().enumerate().take(40) {
        // One vendor alone is no family.
        let stray = (at % 2 == 0).then_some(family[0]);
        check(&names(at, &["x"], 0, stray), None);
    }
    assert_eq!(all, 300);
    assert!(right * 100 >= all * 95, "{right} of {all} right; wrong: {wrong:#?}");
    assert!(wrong.len() * 100 <= all, "{} wrong: {wrong:#?}", wrong.len());
}

/// The names in the reports that VirusTotal gave to sandboxes: one file without a name, one hacking tool.
#[test]
fn names_of_real_files() {
    let families = Rules::shipped().unwrap().families;
    assert_eq!(families.vote(&BTreeMap::new()), None);
    let sample_a = [
        ("Symantec", "W32.SillyFDC.BAW"),
        ("McAfee", "W32/Spybot.worm.gen"),
        ("TrendMicro", "BKDR_AGENT.ANCQ"),
    ];
    let sample_a = sample_a.map(|(vendor, name)| (vendor.to_owned(), name.to_owned())).into();
    assert_eq!(families.vote(&sample_a), None, "one vendor names a family");
}
