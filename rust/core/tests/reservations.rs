//! Reservations against lists of charges, for arbitrary calls, times and changes of limits; and what look past others.

mod common;
mod naive;

use common::*;
use naive::Log;
use proptest::prelude::*;
use ratelimit_guard_core::lease::ledger::Ledger;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::quota::{Quota, Unit};
use ratelimit_guard_core::reservation::Reservation;
use ratelimit_guard_core::reservation::admit::Ask;
use ratelimit_guard_core::table::Table;
use ratelimit_guard_core::time::Nanos;
use std::mem::replace;
use std::sync::Arc;

const START: u64 = 1_000 * SECOND;
const KEYS: [&[u8]; 2] = [b"a", b"b"];

/// A charge of one policy for one key: by which call, when, and what is left of it.
#[derive(Clone, Debug)]
struct Charge {
    call: usize,
    at: u64,
    units: u64,
    is_last: bool,
}

/// One policy and key as a list.
#[derive(Clone, Default)]
struct List {
    charges: Vec<Charge>,
    /// The version of the quota by which the key is counted.
    version: Option<usize>,
}

/// The slow twin: every charge in a list, everything tried one by one.
struct Naive {
    /// By version, then policy.
    quotas: Vec<Vec<Quota>>,
    /// By policy, then key.
    lists: Vec<[List; 2]>,
    calls: Vec<Call>,
    now: u64,
}

#[derive(Clone)]
struct Call {
    key: usize,
    version: usize,
    fixed: Vec<u64>,
    granted: u64,
    spent: u64,
    is_open: bool,
}

impl Naive {
    fn units(&self, policy: usize) -> Unit {
        self.quotas[0][policy].unit()
    }

    fn quota(&self, policy: usize, key: usize, version: usize) -> Quota {
        let known = self.lists[policy][key].version.unwrap_or(0);
        self.quotas[version.max(known)][policy]
    }

    fn used(&self, policy: usize, key: usize) -> u64 {
        let sub = self.quotas[0][policy].window().0.div_ceil(8);
        let counts = |charge: &&Charge| charge.at / sub + 8 >= self.now / sub;
        self.lists[policy][key].charges.iter().filter(counts).map(|charge| charge.units).sum()
    }

    fn remaining(&self, policy: usize, key: usize, version: usize) -> u64 {
        self.quota(policy, key, version).limit().saturating_sub(self.used(policy, key))
    }

    fn fits(&self, key: usize, version: usize, costs: &[u64]) -> bool {
        (0..costs.len()).all(|policy| costs[policy] == 0 || costs[policy] <= self.remaining(policy, key, version))
    }

    fn charge(&mut self, call: usize, key: usize, version: usize, costs: &[u64]) {
        for (policy, units) in costs.iter().copied().enumerate().filter(|(_, units)| *units > 0) {
            let at = self.now;
            let list = &mut self.lists[policy][key];
            list.charges.iter_mut().filter(|charge| charge.call == call).for_each(|charge| charge.is_last = false);
            list.charges.push(Charge { call, at, units, is_last: true });
            list.version = list.version.max(Some(version));
        }
    }

    fn costs(&self, fixed: &[u64], output: u64) -> Vec<u64> {
        let output = |policy| if pays_output(self.units(policy)) { output } else { 0 };
        fixed.iter().enumerate().map(|(policy, fixed)| fixed + output(policy)).collect()
    }

    fn reserve(&mut self, key: usize, version: usize, ask: &Ask) -> bool {
        let cut = |policy: usize, least: u64| {
            let limit = self.quota(policy, key, version).limit();
            if ask.surely + least <= limit { ask.input.min(limit - least) } else { ask.input }
        };
        let cuts = (0..self.lists.len()).filter_map(|policy| match self.units(policy) {
            Unit::InputTokens => Some(cut(policy, 0)),
            Unit::Tokens => Some(cut(policy, ask.least)),
            _ => None,
        });
        let input = cuts.min().unwrap();
        let fixed: Vec<_> = (0..self.lists.len())
            .map(|policy| match self.units(policy) {
                Unit::Requests | Unit::Cost => ask.units,
                Unit::ConcurrentRequests => 1,
                Unit::InputTokens | Unit::Tokens => input,
                Unit::OutputTokens => 0,
            })
            .collect();
        let granted =
            (ask.least..=ask.output).rev().find(|output| self.fits(key, version, &self.costs(&fixed, *output)));
        let call = self.calls.len();
        if let Some(granted) = granted {
            self.charge(call, key, version, &self.costs(&fixed, granted));
        }
        let is_open = granted.is_some();
        self.calls.push(Call { key, version, fixed, granted: granted.unwrap_or(0), spent: 0, is_open });
        is_open
    }

    fn spend(&mut self, call: usize, output: u64, slice: u64) -> bool {
        let Call { key, version, .. } = self.calls[call];
        self.calls[call].spent += output;
        let missing = self.calls[call].spent.saturating_sub(self.calls[call].granted);
        if missing == 0 {
            return true;
        }
        let nothing = vec![0; self.lists.len()];
        let more =
            (missing..=missing + slice).rev().find(|output| self.fits(key, version, &self.costs(&nothing, *output)));
        self.charge(call, key, version, &self.costs(&nothing, more.unwrap_or(missing)));
        self.calls[call].granted += more.unwrap_or(missing);
        more.is_some()
    }

    fn end(&mut self, call: usize, due: impl Fn(&Call, usize, Unit) -> Option<u64>) {
        self.calls[call].is_open = false;
        for policy in 0..self.lists.len() {
            let Some(due) = due(&self.calls[call], policy, self.units(policy)) else { continue };
            let Call { key, version, .. } = self.calls[call];
            let of = |charge: &&mut Charge| charge.call == call;
            let list = &mut self.lists[policy][key].charges;
            let charged: u64 = list.iter_mut().filter(of).map(|charge| charge.units).sum();
            let mut back = charged.saturating_sub(due);
            for charge in list.iter_mut().rev().filter(of) {
                let part = back.min(charge.units);
                (charge.units, back) = (charge.units - part, back - part);
            }
            let mut costs = vec![0; self.lists.len()];
            costs[policy] = due.saturating_sub(charged);
            self.charge(call, key, version, &costs);
        }
    }

    fn settle(&mut self, call: usize, input: Option<u64>, output: Option<u64>) {
        self.end(call, |call, policy, unit| {
            let (input, output) = (input.unwrap_or(call.fixed[policy]), output.unwrap_or(call.spent));
            match unit {
                Unit::Requests | Unit::Cost => None,
                Unit::ConcurrentRequests => Some(0),
                Unit::InputTokens => Some(input),
                Unit::OutputTokens => Some(output),
                Unit::Tokens => Some(input + output),
            }
        });
    }

    fn release(&mut self, call: usize) {
        self.end(call, |_, _, unit| (!matches!(unit, Unit::Requests | Unit::Cost)).then_some(0));
    }

    fn keep(&mut self, call: usize) {
        for policy in (0..self.lists.len()).filter(|policy| self.quotas[0][*policy].unit() == Unit::ConcurrentRequests)
        {
            let window = self.quotas[0][policy].window().0;
            let (now, sub) = (self.now, window.div_ceil(8));
            for list in &mut self.lists[policy] {
                for charge in list.charges.iter_mut().filter(|charge| charge.call == call && charge.units > 0) {
                    match () {
                        () if now - charge.at < window / 3 => {}
                        () if charge.at / sub + 8 >= now / sub => charge.at = now,
                        () => charge.units = 0,
                    }
                }
            }
        }
    }

    /// What a dead owner's calls leave: permits and the unspent part of each last charge come back.
    fn die(&mut self) {
        for (number, call) in self.calls.clone().iter().enumerate().filter(|(_, call)| call.is_open) {
            for policy in 0..self.lists.len() {
                let unit = self.units(policy);
                for charge in &mut self.lists[policy][call.key].charges {
                    if charge.call == number && charge.is_last && unit == Unit::ConcurrentRequests {
                        charge.units = 0;
                    } else if charge.call == number && charge.is_last && pays_output(unit) {
                        charge.units -= call.granted - call.spent;
                    }
                }
            }
        }
        self.calls.iter_mut().for_each(|call| call.is_open = false);
    }
}

fn pays_output(unit: Unit) -> bool {
    matches!(unit, Unit::OutputTokens | Unit::Tokens)
}

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
