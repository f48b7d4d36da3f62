//! The slow twin of reservations: every charge in a list.

use ratelimit_guard_core::quota::{Quota, Unit};
use ratelimit_guard_core::reservation::admit::Ask;

/// A charge of one policy for one key: by which call, when, and what is left of it.
#[derive(Clone, Debug)]
pub struct Charge {
    pub call: usize,
    pub at: u64,
    pub units: u64,
    pub is_last: bool,
}

/// One policy and key as a list.
#[derive(Clone, Default)]
pub struct List {
    pub charges: Vec<Charge>,
    /// The version of the quota by which the key is counted.
    pub version: Option<usize>,
}

/// The slow twin: every charge in a list, everything tried one by one.
pub struct Naive {
    /// By version, then policy.
    pub quotas: Vec<Vec<Quota>>,
    /// By policy, then key.
    pub lists: Vec<[List; 2]>,
    pub calls: Vec<Call>,
    pub now: u64,
}

#[derive(Clone)]
pub struct Call {
    pub key: usize,
    pub version: usize,
    pub fixed: Vec<u64>,
    pub granted: u64,
    pub spent: u64,
    pub is_open: bool,
}

impl Naive {
    pub fn units(&self, policy: usize) -> Unit {
        self.quotas[0][policy].unit()
    }

    pub fn quota(&self, policy: usize, key: usize, version: usize) -> Quota {
        let known = self.lists[policy][key].version.unwrap_or(0);
        self.quotas[version.max(known)][policy]
    }

    pub fn used(&self, policy: usize, key: usize) -> u64 {
        let sub = self.quotas[0][policy].window().0.div_ceil(8);
        let counts = |charge: &&Charge| charge.at / sub + 8 >= self.now / sub;
        self.lists[policy][key].charges.iter().filter(counts).map(|charge| charge.units).sum()
    }

    pub fn remaining(&self, policy: usize, key: usize, version: usize) -> u64 {
        self.quota(policy, key, version).limit().saturating_sub(self.used(policy, key))
    }

    pub fn fits(&self, key: usize, version: usize, costs: &[u64]) -> bool {
        (0..costs.len()).all(|policy| costs[policy] == 0 || costs[policy] <= self.remaining(policy, key, version))
    }

    pub fn charge(&mut self, call: usize, key: usize, version: usize, costs: &[u64]) {
        for (policy, units) in costs.iter().copied().enumerate().filter(|(_, units)| *units > 0) {
            let at = self.now;
            let list = &mut self.lists[policy][key];
            list.charges.iter_mut().filter(|charge| charge.call == call).for_each(|charge| charge.is_last = false);
            list.charges.push(Charge { call, at, units, is_last: true });
            list.version = list.version.max(Some(version));
        }
    }

    pub fn costs(&self, fixed: &[u64], output: u64) -> Vec<u64> {
        let output = |policy| if pays_output(self.units(policy)) { output } else { 0 };
        fixed.iter().enumerate().map(|(policy, fixed)| fixed + output(policy)).collect()
    }

    pub fn reserve(&mut self, key: usize, version: usize, ask: &Ask) -> bool {
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

    pub fn spend(&mut self, call: usize, output: u64, slice: u64) -> bool {
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

    pub fn end(&mut self, call: usize, due: impl Fn(&Call, usize, Unit) -> Option<u64>) {
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

    pub fn settle(&mut self, call: usize, input: Option<u64>, output: Option<u64>) {
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

    pub fn release(&mut self, call: usize) {
        self.end(call, |_, _, unit| (!matches!(unit, Unit::Requests | Unit::Cost)).then_some(0));
    }

    pub fn keep(&mut self, call: usize) {
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
    pub fn die(&mut self) {
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

pub fn pays_output(unit: Unit) -> bool {
    matches!(unit, Unit::OutputTokens | Unit::Tokens)
}
