//! Reservations against lists of charges, for arbitrary calls, times and changes of limits; and what look past others.

mod common;
#[path = "reservations/lists.rs"]
mod lists;
mod naive;

use common::*;
use lists::*;
use naive::Log;
use proptest::prelude::*;
use ratelimit_guard_core::lease::ledger::Ledger;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::quota::Quota;
use ratelimit_guard_core::reservation::Reservation;
use ratelimit_guard_core::reservation::admit::Ask;
use ratelimit_guard_core::table::Table;
use ratelimit_guard_core::time::Nanos;
use std::mem::replace;
use std::sync::Arc;

const START: u64 = 1_000 * SECOND;
const KEYS: [&[u8]; 2] = [b"a", b"b"];

#[derive(Clone, Debug)]
enum Deed {
    Reserve { key: usize, units: u64, input: u64, surely: u64, output: u64, least: u64 },
    Spend { call: usize, output: u64, slice: u64 },
    Charge { call: usize, units: u64 },
    Settle { call: usize, input: Option<u64>, output: Option<u64> },
    Release { call: usize },
    Wait { millis: u64 },
    Keep,
    NewLimits,
    Die,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let call = 0usize..8;
    let input = || prop_oneof![4 => 0u64..120, 1 => 0u64..500];
    let reserve = (0usize..2, 0u64..3, input(), 0u64..200, 0u64..60, 0u64..20);
    let usage = || prop::option::weighted(0.7, 0u64..150);
    prop::collection::vec(
        prop_oneof![
            6 => reserve.prop_map(|(key, units, input, surely, output, least)| {
                Deed::Reserve { key, units, input, surely: surely.min(input), output, least: least.min(output) }
            }),
            8 => (call.clone(), 0u64..40, 0u64..30).prop_map(|(call, output, slice)| Deed::Spend { call, output, slice }),
            1 => (call.clone(), 0u64..4).prop_map(|(call, units)| Deed::Charge { call, units }),
            4 => (call.clone(), usage(), usage()).prop_map(|(call, input, output)| Deed::Settle { call, input, output }),
            1 => call.prop_map(|call| Deed::Release { call }),
            3 => prop_oneof![3 => 0u64..3_000, 1 => 0u64..30_000].prop_map(|millis| Deed::Wait { millis }),
            3 => Just(Deed::Keep),
            1 => Just(Deed::NewLimits),
            1 => Just(Deed::Die),
        ],
        1..80,
    )
}

/// The limits, and half of them.
fn versions() -> Vec<Vec<Quota>> {
    let texts = |factor: u64| {
        let limits = [20, 300, 100, 250, 6].map(|limit| limit * factor / 2);
        vec![
            quota(&format!("{}/20s", limits[0])),
            quota(&format!("{} tokens/16s", limits[1])),
            quota(&format!("{} output-tokens/8s", limits[2])),
            quota(&format!("{} input-tokens/11s", limits[3])),
            quota(&format!("{} concurrent-requests; lease=6s", limits[4])),
        ]
    };
    [2, 1, 3].map(texts).to_vec()
}

/// The fast twin beside the slow one.
struct Pair {
    naive: Naive,
    table: Arc<Table<Words>>,
    limiters: Vec<Arc<Limiter<Words>>>,
    ledger: Arc<Ledger<Words>>,
    held: Vec<Option<Reservation<Words>>>,
    version: usize,
}

impl Pair {
    fn new() -> Self {
        // Room enough that no key's cell is taken by another one.
        let (table, versions) = (table(4_096), versions());
        let naive =
            Naive { lists: vec![Default::default(); versions[0].len()], quotas: versions, calls: vec![], now: START };
        let first = Arc::new(limiter(&table, &naive.quotas[0]));
        Self { naive, table, limiters: vec![first], ledger: ledger(64), held: vec![], version: 0 }
    }

    /// The call that a deed means, if it is open.
    fn open(&self, call: usize) -> Option<usize> {
        let open: Vec<_> = (0..self.held.len()).filter(|call| self.naive.calls[*call].is_open).collect();
        open.get(call % open.len().max(1)).copied()
    }

    fn act(&mut self, deed: &Deed) -> Result<(), TestCaseError> {
        let now = self.naive.now;
        let clock = move || Nanos(now);
        match *deed {
            Deed::Reserve { key, units, input, surely, output, least } => {
                let ask = Ask { units, input, surely, output, least, confirmed: true, ..Ask::default() };
                let limiter = self.limiters[self.version].clone();
                let keys = vec![limiter.digest(KEYS[key]).unwrap(); self.naive.lists.len()];
                let (outcome, held) = limiter.reserve(&keys, &ask, Some((&self.ledger, process(1))), &clock).unwrap();
                prop_assert_eq!(held.is_some(), self.naive.reserve(key, self.version, &ask));
                prop_assert_eq!(held.is_some(), outcome.answer().allowed);
                self.held.push(held);
            }
            Deed::Wait { millis } => self.naive.now += millis * 1_000_000,
            Deed::Keep => {
                for call in 0..self.held.len() {
                    self.held[call].iter_mut().for_each(|held| held.keep(Nanos(now)));
                    if self.naive.calls[call].is_open {
                        self.naive.keep(call);
                    }
                }
            }
            Deed::NewLimits if self.version + 1 < self.naive.quotas.len() => {
                self.version += 1;
                // Bound to the same table: the first limiter knows it.
                let quotas = &self.naive.quotas[self.version];
                self.limiters.push(Arc::new(limiter(&self.table, quotas)));
            }
            Deed::NewLimits => {}
            Deed::Die => {
                self.naive.die();
                let open = self.held.iter_mut().filter_map(Option::take).count();
                let dead = self.ledger.stats().live;
                prop_assert!(dead <= open as u64);
                prop_assert_eq!(self.ledger.reclaim(&self.table, process(2), |who| who.pid() == 1, &clock), dead);
            }
            Deed::Spend { call, .. }
            | Deed::Charge { call, .. }
            | Deed::Settle { call, .. }
            | Deed::Release { call } => {
                if let Some(call) = self.open(call) {
                    self.act_on(call, deed, &clock)?;
                }
            }
        }
        Ok(())
    }

    fn act_on(&mut self, call: usize, deed: &Deed, clock: &impl Fn() -> Nanos) -> Result<(), TestCaseError> {
        let held = self.held[call].as_mut().unwrap();
        match *deed {
            Deed::Spend { output, slice, .. } => {
                prop_assert_eq!(held.spend(output, slice, clock), self.naive.spend(call, output, slice));
            }
            Deed::Charge { units, .. } => {
                let Call { key, version, .. } = self.naive.calls[call];
                let mut costs = vec![0; self.naive.lists.len()];
                costs[0] = units;
                let fits = self.naive.fits(key, version, &costs);
                prop_assert_eq!(held.charge(units, clock).answer().allowed, fits);
                if fits {
                    self.naive.charge(usize::MAX, key, version, &costs);
                }
            }
            Deed::Settle { input, output, .. } => {
                held.settle(input, output, clock);
                self.naive.settle(call, input, output);
            }
            Deed::Release { .. } => {
                held.release(clock);
                self.naive.release(call);
            }
            _ => unreachable!("deeds without a call"),
        }
        Ok(())
    }

    /// Both say the same of every policy and key.
    fn compare(&self) -> Result<(), TestCaseError> {
        let (limiter, now) = (&self.limiters[self.version], self.naive.now);
        for (number, key) in KEYS.iter().enumerate() {
            let outcome = limiter.peek(key, 0, &|| Nanos(now)).unwrap();
            let real: Vec<_> = outcome.answers().iter().map(|answer| answer.remaining).collect();
            let slow: Vec<_> = (0..real.len()).map(|p| self.naive.remaining(p, number, self.version)).collect();
            prop_assert_eq!(real, slow, "key {}", number);
        }
        let open = self.naive.calls.iter().filter(|call| call.is_open).count() as u64;
        prop_assert_eq!(self.ledger.stats().live, open);
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Whatever reservations do in whatever order, each policy counts exactly what the list of their charges says.
    #[test]
    fn reservations_are_lists_of_charges(deeds in deeds()) {
        let mut pair = Pair::new();
        for deed in &deeds {
            pair.act(deed)?;
            pair.compare()?;
        }
    }

    /// A token bucket at one instant: settled usage, and debts of a sixteenth beyond empty.
    #[test]
    fn bucket_counts_settled_usage(burst in 16u64..5_000, calls in prop::collection::vec((0u64..500, 0u64..500, 0u64..700, 0u64..700), 1..20)) {
        let quota = quota(&format!("{burst} tokens/hour; burst={burst}"));
        let limiter = Arc::new(limiter(&table(64), &[quota]));
        let key = [limiter.digest(b"a").unwrap()];
        let (clock, mut used) = (|| Nanos(START), 0);
        for (input, output, real_input, real_output) in calls {
            let ask = Ask { input, surely: input, output, confirmed: true, ..Ask::default() };
            let (_, held) = limiter.reserve(&key, &ask, None, &clock).unwrap();
            prop_assert_eq!(held.is_some(), input <= burst - used.min(burst) || input == 0);
            if let Some(mut held) = held {
                held.settle(Some(real_input), Some(real_output), &clock);
                used = (used + real_input + real_output).min(burst + burst / 16);
            }
            prop_assert_eq!(peek(&limiter, "a", 0, START).remaining, burst.saturating_sub(used));
        }
    }

    /// Of a window so large that its slots hold many units each, what is settled counts to the unit while nothing has
    /// left the window, and never less than what was charged within it.
    #[test]
    fn large_windows_count_settled_usage(calls in prop::collection::vec((0u64..3_000, 0u64..1_500, 0u64..100_000), 1..40)) {
        let limiter = Arc::new(limiter(&table(64), &[quota("10M tokens/80s")]));
        let key = [limiter.digest(b"a").unwrap()];
        let (mut log, mut now, mut open) = (Log::default(), START, None::<(Reservation<Words>, usize)>);
        for (millis, wanted, input) in calls {
            now += millis * 1_000_000;
            let clock = move || Nanos(now);
            let ask = Ask { input, surely: input, output: wanted, confirmed: true, ..Ask::default() };
            let (_, held) = limiter.reserve(&key, &ask, None, &clock).unwrap();
            let entry = log.0.len();
            if held.is_some() {
                log.push(now, input + wanted);
            }
            // The one before, in whose epoch the cell may no longer stand.
            if let Some((mut held, entry)) = replace(&mut open, held.map(|held| (held, entry))) {
                log.0[entry].1 -= wanted.min(log.0[entry].1);
                held.settle(Some(log.0[entry].1), Some(0), &clock);
            }
            let used = 10_000_000 - peek(&limiter, "a", 0, now).remaining;
            prop_assert!(used >= log.within(80 * SECOND, now));
            prop_assert!(used == log.0.iter().map(|(_, units)| units).sum() || now > START + 80 * SECOND);
        }
    }
}
