//! What hosts tell each other: it comes back as it was, and whatever comes instead is refused or stays within bounds.

use super::cases;
use super::desk::{Words, area};
use proptest::prelude::*;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::live::area::Area;
use ratelimit_guard_core::live::book::Told;
use ratelimit_guard_core::live::exchange::{Verdicts, batch, read_batch};
use ratelimit_guard_core::live::ladder::Rung;
use ratelimit_guard_core::live::look::{NAMES, Piece, Standing};
use ratelimit_guard_core::live::record::{Record, relayed};
use ratelimit_guard_core::saved::save;
use std::sync::atomic::Ordering::Relaxed;

const SEED: Seed = Seed([1, 2]);

fn written(record: &Record) -> Vec<u64> {
    let mut words = Vec::new();
    record.write(&mut words);
    words
}

fn mark(seed: Seed) -> u64 {
    seed.digest(b"exchange").0[0]
}

fn standing(campaign: u32, score: f32) -> Told {
    Standing { rung: Rung::Throttle, is_whole: true, campaign, score, ..Standing::default() }.told()
}

/// Under the same secret; under another one, and when it holds what no worker writes, it is an error with a reason.
#[test]
fn a_batch_comes_back() {
    let records = vec![written(&Record::ReleaseAccount(5)), written(&Record::Save)];
    let bytes = batch(SEED, &records).unwrap();
    assert_eq!(read_batch(SEED, &bytes).unwrap(), records);
    assert!(read_batch(Seed([1, 3]), &bytes).unwrap_err().to_string().contains("another secret"));
    assert_eq!(Record::read(&relayed(&records[0])), Some(Record::ReleaseAccount(5)));
    assert_eq!(Record::read(&relayed(&relayed(&records[0]))), None);
    for words in [written(&Record::ReadUpTo([1, 1])), vec![], vec![9; 3], vec![1; 600], relayed(&records[0])] {
        let bytes = batch(SEED, &[records[0].clone(), words]).unwrap();
        assert!(read_batch(SEED, &bytes).unwrap_err().to_string().contains("no worker writes"));
    }
}

/// Another area tells just the same, whatever it told before.
#[test]
fn verdicts_come_back() {
    let (from, to) = (area(), area());
    let piece = Piece { campaign: 3, tenants: [4, 5], prompts: [6, 7, 8] };
    for key in 1..2_000 {
        from.accounts().set_told(key, standing(3, key as f32));
        from.pieces().set_told(key, piece.told());
        to.accounts().set_told(key + 1_000, standing(9, 1.0));
        to.pieces().set_told(key + 1_000, Piece { campaign: 9, ..piece }.told());
    }
    from.rung(3).store(Rung::Block as u64, Relaxed);
    to.rung(9).store(Rung::Block as u64, Relaxed);
    from.convicted().store(1, Relaxed);
    let told = Verdicts::of(&from);
    let read = Verdicts::read(from.seed(), &told.bytes().unwrap()).unwrap();
    read.tell(&to);
    for (here, there) in [(from.accounts(), to.accounts()), (from.pieces(), to.pieces())] {
        assert_eq!(here.iter().count(), there.iter().count());
        assert!(here.iter().all(|(key, told)| there.get(key) == Some(told)));
    }
    let words = |area: &Area<Words>| [3, 9].map(|name| area.rung(name).load(Relaxed));
    assert_eq!((words(&to), to.convicted().load(Relaxed)), ([Rung::Block as u64, 0], 1));
    assert!(Verdicts::read(SEED, &told.bytes().unwrap()).is_err());
}

type Parts = (u64, u64, Vec<(u64, Told)>, Vec<(u64, Told)>, Vec<(u32, u8)>);

fn parts() -> impl Strategy<Value = Parts> {
    let told = || prop::collection::vec((any::<u64>(), any::<Told>()), 0..40);
    let rungs = prop::collection::vec((0..NAMES + 2, any::<u8>()), 0..10);
    (any::<u64>(), any::<u64>(), told(), told(), rungs)
}

proptest! {
    #![proptest_config(cases())]

    /// A well-formed frame around anything: what is told of it can be looked at, and says nothing impossible.
    #[test]
    fn any_verdicts(parts in parts()) {
        let area = area();
        let (convicted, time, accounts, pieces, rungs) = parts;
        let bytes = save("verdicts", &(mark(area.seed()), convicted, time, accounts, pieces, rungs)).unwrap();
        if let Ok(verdicts) = Verdicts::read(area.seed(), &bytes) {
            verdicts.tell(&area);
            for (_, told) in area.accounts().iter() {
                prop_assert!(Standing::of(told).score.is_finite());
            }
            for (_, told) in area.pieces().iter() {
                prop_assert!(Piece::of(told).campaign <= NAMES);
            }
        }
    }

    /// The same of a batch: what is taken is what a worker may have written.
    #[test]
    fn any_batch(records in prop::collection::vec(prop::collection::vec(0..6_u64, 0..40), 0..8)) {
        let bytes = save("batch", &(mark(SEED), &records)).unwrap();
        if let Ok(read) = read_batch(SEED, &bytes) {
            for words in &read {
                prop_assert!(!matches!(Record::read(words), None | Some(Record::ReadUpTo(_))));
            }
        }
    }

    /// Bytes that nobody framed.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_batch(SEED, &bytes).is_err());
        prop_assert!(Verdicts::read(SEED, &bytes).is_err());
    }
}
