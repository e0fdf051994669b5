//! Whoever asks while another process feeds, merges or takes back gets an answer that was right at some moment, and no error.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use inga::store::{HistoryStore, LocalStore};
use jiff::civil::date;

use crate::command::{arg, inga};
use crate::taken_back::{Fixture, answers, capture, sensor};

/// Rounds of dropping a day, feeding it again and merging.
const ROUNDS: usize = 6;

/// What each question may be answered with.
type Right = Vec<BTreeSet<String>>;

/// What the program tells of a history, which it reads in a process of its own.
fn told(history: &std::path::Path) -> String {
    let called = inga(&["series", "--sensor", "II", "--history", arg(history), "--format", "json"]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    called.stdout
}

/// The number of segments in a history's folder.
fn segments(history: &std::path::Path) -> usize {
    let all = walkdir::WalkDir::new(history).into_iter().map(Result::unwrap);
    all.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "parquet")).count()
}

/// Drops a day, feeds it again in two captures, and merges all there is; `each` is called after each step.
fn round(fixture: &Fixture, store: &mut LocalStore, each: &mut dyn FnMut(&LocalStore)) {
    store.drop_days("II", (date(2009, 3, 3), date(2009, 3, 3))).unwrap();
    each(store);
    for piece in [capture(24..36, 0), capture(36..48, 0)] {
        fixture.feed(store, &sensor("II"), &piece);
        each(store);
    }
    assert!(store.compact(true).unwrap().months > 0);
    each(store);
}

/// Ends the asking, also where something fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks until `is_done`; returns how many answers there were.
fn ask(is_done: &AtomicBool, asked: &AtomicU64, question: &mut dyn FnMut()) {
    loop {
        question();
        asked.fetch_add(1, Ordering::Relaxed);
        if is_done.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn check(store: &LocalStore, right: &Right) {
    for (answer, right) in answers(store, "II").iter().zip(right) {
        assert!(right.contains(answer), "no moment had this answer: {answer}");
    }
}

#[test]
fn answers_are_right_while_segments_are_merged_dropped_and_fed_again() {
    let fixture = Fixture::new();
    let history = fixture.path("a");
    let mut store = fixture.local("a");
    store.add_sensor(&sensor("II")).unwrap();
    for piece in [capture(0..24, 0), capture(24..36, 0), capture(36..48, 0), capture(48..72, 0)] {
        fixture.feed(&mut store, &sensor("II"), &piece);
    }
    // A quiet round, after which all rounds are alike; then one that tells what is right.
    round(&fixture, &mut store, &mut |_| ());
    let mut right: Right = answers(&store, "II").into_iter().map(|one| [one].into()).collect();
    let mut right_told: BTreeSet<String> = [told(&history)].into();
    round(&fixture, &mut store, &mut |store| {
        answers(store, "II").into_iter().zip(&mut right).for_each(|(one, known)| _ = known.insert(one));
        right_told.insert(told(&history));
    });
    assert!(right.iter().all(|known| known.len() == 3 || known.len() == 2), "each step has its answer");
    let files = segments(&history);
    let profile = &fixture.rules.profile;
    let (is_done, asked) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 4]);
    let (is_done, asked, right, right_told, history) = (&is_done, &asked, &right, &right_told, &history);
    std::thread::scope(|scope| {
        // One that stays open, one that is opened for each question, one that checks every byte, and another process.
        scope.spawn(move || {
            let store = LocalStore::open_to_read(history, profile).unwrap();
            ask(is_done, &asked[0], &mut || check(&store, right));
        });
        scope.spawn(move || {
            let once = || check(&LocalStore::open_to_read(history, profile).unwrap(), right);
            ask(is_done, &asked[1], &mut { once });
        });
        scope.spawn(move || {
            let mut faults = Vec::new();
            ask(is_done, &asked[2], &mut || {
                let store = LocalStore::open_to_read(history, profile).unwrap();
                store.verify(&mut |fault| faults.push(fault)).unwrap();
                assert_eq!(faults, Vec::<String>::new());
            });
        });
        scope.spawn(move || ask(is_done, &asked[3], &mut || assert!(right_told.contains(&told(history)))));
        let _done = Done(is_done);
        for _ in 0..ROUNDS {
            round(&fixture, &mut store, &mut |_| ());
        }
    });
    for asked in asked {
        assert!(asked.load(Ordering::Relaxed) > 1, "nobody asked while something was done");
    }
    // What readers held is gone once they have ended.
    drop(store);
    drop(fixture.local("a"));
    assert_eq!(segments(history), files);
}
