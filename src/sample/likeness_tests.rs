//! Tests of static likeness.

use super::*;

fn sample(imphash: &str) -> StaticFeatures {
    StaticFeatures { imphash: Some(imphash.repeat(32)), ..StaticFeatures::default() }
}

fn graph(samples: &[(StaticFeatures, Option<&str>)]) -> LikenessGraph {
    let samples: Vec<(&StaticFeatures, Option<&str>)> =
        samples.iter().map(|(features, family)| (features, *family)).collect();
    LikenessGraph::of(&samples)
}

fn words(graph: &LikenessGraph, sample: usize) -> Vec<String> {
    let words = |(other, reasons): (usize, &[LikenessReason])| {
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        format!("{other}: {}", reasons.join("; "))
    };
    graph.neighbours(sample).into_iter().map(words).collect()
}

#[test]
fn equal_hashes_link_unless_several_families_share_them() {
    let rich = |imphash| StaticFeatures { rich_hash: Some("1".repeat(32)), ..sample(imphash) };
    let linked = graph(&[(rich("a"), Some("Mirai")), (rich("a"), None), (sample("b"), None)]);
    assert_eq!(words(&linked, 1), ["0: same imphash; same rich header"]);
    assert_eq!(words(&linked, 2), Vec::<String>::new());
    let shared = graph(&[(sample("a"), Some("Mirai")), (sample("a"), None), (sample("a"), Some("Gafgyt"))]);
    assert_eq!(words(&shared, 1), Vec::<String>::new());
    let runtime = StaticFeatures { imphash: Some(DOT_NET_IMPHASH.to_owned()), ..StaticFeatures::default() };
    assert_eq!(words(&graph(&[(runtime.clone(), None), (runtime, None)]), 0), Vec::<String>::new());
}

#[test]
fn digests_of_similar_files_link() {
    let digest = "45D18407A78523B35A030267671FA2C2F725402973629B25545EB43C3356679477F7FC";
    let tlsh = |text: String| StaticFeatures { tlsh: Some(text), ..StaticFeatures::default() };
    let near = tlsh(format!("T1{}", digest.replace("77F7FC", "77F7FD")));
    let far = tlsh("C8E1E8277B98A6255FA70063B70FBAE1F6618229332C9438084FB331178ADEE53B41D5".to_owned());
    let linked =
        graph(&[(tlsh(digest.to_owned()), None), (near, None), (far, None), (tlsh("x".to_owned()), None)]);
    assert_eq!(words(&linked, 0), ["1: TLSH distance 1"]);
    assert_eq!(words(&linked, 2), Vec::<String>::new());
    let ssdeep = |text: &str| StaticFeatures { ssdeep: Some(text.to_owned()), ..StaticFeatures::default() };
    let linked = graph(&[
        (ssdeep("192:abcdefghijklmnopqrstuvwxyz:0123456789"), None),
        (ssdeep("192:abcdefghijklMNOpqrstuvwxyz:9876543210"), None),
        (ssdeep("192:ABCDEFGHIJKLMNOPQRSTUVWXYZ:5678901234"), None),
    ]);
    assert_eq!(words(&linked, 0), ["1: ssdeep score 90"]);
}

#[test]
fn only_rare_yara_rules_link() {
    let yara = |names: &[&str]| StaticFeatures {
        yara: names.iter().map(|name| (*name).to_owned()).collect(),
        ..StaticFeatures::default()
    };
    let mut samples: Vec<(StaticFeatures, Option<&str>)> =
        (0..130).map(|_| (yara(&["IsPE32"]), None)).collect();
    samples[3].0 = yara(&["IsPE32", "Mirai_A", "Mirai_A_again"]);
    samples[7].0 = yara(&["IsPE32", "Mirai_A", "Mirai_A_again"]);
    assert_eq!(words(&graph(&samples), 3), ["7: YARA Mirai_A"]);
    // One rule of two that are always met together is not rarer than each.
    assert_eq!(words(&graph(&samples[..60]), 3), Vec::<String>::new());
}

#[test]
fn names_spread_and_disputed_ones_do_not() {
    // 0 and 1 are linked, 1 and 2 are; 3 is linked with samples of two families.
    let mut samples = [sample("a"), sample("a"), StaticFeatures::default(), StaticFeatures::default()];
    samples[1].rich_hash = Some("1".repeat(32));
    samples[2].rich_hash = Some("1".repeat(32));
    let samples = samples.map(|features| (features, None));
    let graph = graph(&samples);
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(graph.name_sources(&[name("Mirai"), None, None, None]), [None, Some(0), Some(1), None]);
    assert_eq!(graph.name_sources(&[name("Mirai"), None, name("Gafgyt"), None]), [None; 4]);
    assert_eq!(graph.components(&|_| true), [0, 0, 0, 3]);
    assert_eq!(graph.components(&|sample| sample != 1), [0, 1, 2, 3]);
}

#[test]
fn a_large_group_stays_connected_with_few_links() {
    let samples: Vec<(StaticFeatures, Option<&str>)> = (0..300).map(|_| (sample("a"), None)).collect();
    let graph = graph(&samples);
    assert!(graph.graph.edge_count() <= 300 * LINKS_MAX);
    assert!(graph.components(&|_| true).iter().all(|first| *first == 0));
}
