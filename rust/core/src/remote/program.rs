//! `Program`: the questions of many callers as one argument of the script.

use super::answer::{Asked, Kind, Reply, read};
use super::policies::{Policies, RULE_WORDS};
use crate::error::Error;
use crate::hash::Digest;
use crate::quota::{MAX_LIMIT, Unit};
use std::collections::HashMap;
use std::sync::Arc;

/// Larger numbers are not exact in a server's Lua. No limit and no instant of this century is beyond it.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Whether a charge depends on another one, or others on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It stands for itself.
    None = 0,
    /// When it is refused, what follows behind the gate is not done.
    Opens = 1,
    /// Done when the charge that opens the gate was allowed.
    Behind = 2,
}

/// What a call of a model asks for, and as whose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Units of requests and cost.
    pub units: u64,
    /// Input tokens as estimated.
    pub input: u64,
    /// Of these, what it surely has.
    pub surely: u64,
    /// Output tokens wanted.
    pub output: u64,
    /// Of these, what must fit.
    pub least: u64,
    /// May nobody look past its output?
    pub firm: bool,
    /// Hash of the account; 0: none.
    pub account: u64,
    /// Number of the reservation; 0: nothing is listed.
    pub id: u64,
    /// µs after which it is given back unless it is renewed.
    pub lease: u64,
}

/// What one policy gets back, or has to pay, at the end of a call.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// Number of the reservation that is listed with it; 0: none.
    pub id: u64,
    /// Units that the list holds.
    pub listed: u64,
    /// Units to be taken whether they fit or not.
    pub debit: u64,
    /// What to give back: mark, life and units of charges.
    pub back: Vec<(u64, u64, u64)>,
}

/// The numbers that follow a charge's verb.
struct Header {
    gate: Gate,
    want: u64,
    least: u64,
    call: Call,
    spent: u64,
    receipts: bool,
}

/// Questions to the script, and how to read its answers.
#[derive(Debug, Default)]
pub struct Program {
    body: Numbers,
    keys: Vec<String>,
    holds: Vec<String>,
    counters: HashMap<Digest, u64>,
    held: HashMap<Digest, u64>,
    rules: Vec<Arc<Policies>>,
    asked: Vec<Asked>,
}

impl Program {
    /// Questions asked so far.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Counters that they are about.
    pub fn counters(&self) -> usize {
        self.keys.len()
    }

    /// Is nothing asked?
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Take `cost` units of every policy, or of none, and up to `extra` more of each. A slot is one unit.
    pub fn charge(
        &mut self,
        policies: &Arc<Policies>,
        keys: &[Digest],
        cost: u64,
        extra: u64,
        gate: Gate,
        receipts: bool,
    ) -> Result<(), Error> {
        check_keys(policies, keys)?;
        if !receipts && extra == 0 {
            self.plain(policies, keys, cost, gate);
            return Ok(());
        }
        let header = Header { gate, want: extra, least: 0, call: Call::default(), spent: 0, receipts };
        let unit = |index: usize| policies.entries()[index].quota.unit();
        let fixed = |index: usize| if unit(index) == Unit::ConcurrentRequests { 1 } else { cost };
        self.parts(policies, keys, &header, |index| (fixed(index), extra > 0));
        Ok(())
    }

    /// A charge of which nothing is given back: as few numbers as it takes.
    fn plain(&mut self, policies: &Arc<Policies>, keys: &[Digest], cost: u64, gate: Gate) {
        let rules = self.rules(policies);
        for number in [7, gate as u64, keys.len() as u64] {
            self.body.put(number);
        }
        for (index, &key) in keys.iter().enumerate() {
            let counter = self.counter(policies, index, key);
            for number in [counter, rules + index as u64, cost] {
                self.body.put(number);
            }
        }
        self.ask(policies, Kind::Plain);
    }

    /// Reserve what a call of a model needs. What it pays of each policy besides output is returned.
    pub fn reserve(
        &mut self,
        policies: &Arc<Policies>,
        keys: &[Digest],
        call: &Call,
        gate: Gate,
    ) -> Result<Vec<u64>, Error> {
        check_keys(policies, keys)?;
        let (input, output) = (call.input.min(MAX_LIMIT), call.output.min(MAX_LIMIT));
        let call = Call { input, output, surely: call.surely.min(input), least: call.least.min(output), ..*call };
        let fixed = prices(policies, &call);
        let header = Header { gate, want: output, least: call.least, call, spent: 0, receipts: true };
        self.parts(policies, keys, &header, |index| (fixed[index], counts_output(policies, index)));
        Ok(fixed)
    }

    /// Reserve more output for a call: what it has `missing`, and up to `slice` more.
    pub fn top_up(&mut self, policies: &Arc<Policies>, keys: &[Digest], call: &Call, missing: u64, slice: u64) {
        let (missing, slice) = (missing.min(MAX_LIMIT), slice.min(MAX_LIMIT));
        let call = Call { account: 0, ..*call }; // nobody looks past others for more
        let header =
            Header { gate: Gate::None, want: missing + slice, least: missing, call, spent: missing, receipts: true };
        self.parts(policies, keys, &header, |index| (0, counts_output(policies, index)));
    }

    /// Take more units of the policies of requests and cost.
    pub fn charge_more(&mut self, policies: &Arc<Policies>, keys: &[Digest], units: u64) {
        let header = Header { gate: Gate::None, want: 0, least: 0, call: Call::default(), spent: 0, receipts: true };
        let pays = |index: usize| matches!(policies.entries()[index].quota.unit(), Unit::Requests | Unit::Cost);
        self.parts(policies, keys, &header, |index| (if pays(index) { units } else { 0 }, false));
    }

    fn parts(
        &mut self,
        policies: &Arc<Policies>,
        keys: &[Digest],
        header: &Header,
        price: impl Fn(usize) -> (u64, bool),
    ) {
        let rules = self.rules(policies);
        let Header { gate, want, least, call, spent, receipts } = header;
        self.body.put(1);
        for number in [*gate as u64, *want, *least, call.account & MAX_NUMBER, call.id, call.lease] {
            self.body.put(number);
        }
        for number in [u64::from(call.firm), *spent, u64::from(*receipts), keys.len() as u64] {
            self.body.put(number);
        }
        for (index, &key) in keys.iter().enumerate() {
            let (fixed, pays) = price(index);
            let holds = if call.id > 0 && pays { self.hold(policies, index, key) } else { 0 };
            let counter = self.counter(policies, index, key);
            for number in [counter, rules + index as u64, fixed, u64::from(pays), holds] {
                self.body.put(number);
            }
        }
        self.ask(policies, if *receipts { Kind::Charge } else { Kind::Plain });
    }

    /// What a charge would be answered.
    pub fn peek(&mut self, policies: &Arc<Policies>, keys: &[Digest], cost: u64) -> Result<(), Error> {
        check_keys(policies, keys)?;
        let rules = self.rules(policies);
        self.body.put(2);
        self.body.put(keys.len() as u64);
        for (index, &key) in keys.iter().enumerate() {
            let counter = self.counter(policies, index, key);
            for number in [counter, rules + index as u64, cost] {
                self.body.put(number);
            }
        }
        self.ask(policies, Kind::Peek);
        Ok(())
    }

    /// Forget a key.
    pub fn reset(&mut self, policies: &Arc<Policies>, key: Digest) {
        let rules = self.rules(policies);
        self.body.put(3);
        self.body.put(policies.entries().len() as u64);
        for index in 0..policies.entries().len() {
            let holds = if counts_output(policies, index) { self.hold(policies, index, key) } else { 0 };
            let counter = self.counter(policies, index, key);
            for number in [counter, rules + index as u64, holds] {
                self.body.put(number);
            }
        }
        self.ask(policies, Kind::Flag);
    }

    /// Give back and take what is due.
    pub fn settle(&mut self, policies: &Arc<Policies>, keys: &[Digest], dues: &[(usize, Due)]) {
        let rules = self.rules(policies);
        self.body.put(4);
        self.body.put(dues.len() as u64);
        for (index, due) in dues {
            let holds = if due.id > 0 { self.hold(policies, *index, keys[*index]) } else { 0 };
            let counter = self.counter(policies, *index, keys[*index]);
            let head = [counter, rules + *index as u64, holds, due.id, due.listed, due.debit, due.back.len() as u64];
            for number in head.into_iter().chain(due.back.iter().flat_map(|(mark, born, units)| [*mark, *born, *units]))
            {
                self.body.put(number);
            }
        }
        self.ask(policies, Kind::Flag);
    }

    /// Let a slot's lease begin anew.
    pub fn renew(&mut self, policies: &Arc<Policies>, index: usize, key: Digest, mark: u64, born: u64) {
        let rules = self.rules(policies);
        let counter = self.counter(policies, index, key);
        for number in [5, counter, rules + index as u64, mark, born] {
            self.body.put(number);
        }
        self.ask(policies, Kind::Renewal);
    }

    /// Tell that the owner of a reservation lives.
    pub fn beat(&mut self, policies: &Arc<Policies>, index: usize, key: Digest, id: u64, lease: u64) {
        let rules = self.rules(policies);
        let holds = self.hold(policies, index, key);
        for number in [6, holds, rules + index as u64, id, lease] {
            self.body.put(number);
        }
        self.ask(policies, Kind::Flag);
    }

    /// The script's keys, and its argument. `now`: µs, 0 for the server's time; `nonce`: a number that no other program
    /// has, below 2⁵².
    pub fn arguments(&self, now: u64, nonce: u64) -> (impl Iterator<Item = &str>, Vec<u8>) {
        let mut head = Numbers::default();
        let rules = self.rules.iter().flat_map(|policies| policies.entries());
        for number in [now, nonce, self.keys.len() as u64, rules.clone().count() as u64] {
            head.put(number);
        }
        rules.flat_map(|entry| entry.rule()).for_each(|number| head.put(number));
        (self.keys.iter().chain(&self.holds).map(String::as_str), head.and(&self.body))
    }

    /// Read what the script answered. `StoreError` for what is no answer to this program.
    pub fn read(&self, reply: &[u8]) -> Result<Reply, Error> {
        read(&self.asked, reply)
    }

    fn ask(&mut self, policies: &Arc<Policies>, kind: Kind) {
        self.asked.push(Asked { kind, policies: policies.clone() });
    }

    /// The number of their first rule.
    fn rules(&mut self, policies: &Arc<Policies>) -> u64 {
        let mut first = 1;
        for known in &self.rules {
            if known.id == policies.id {
                return first;
            }
            first += known.entries().len() as u64;
        }
        self.rules.push(policies.clone());
        first
    }

    fn counter(&mut self, policies: &Policies, index: usize, key: Digest) -> u64 {
        let identity = policies.identity(index, key);
        *self.counters.entry(identity).or_insert_with(|| {
            self.keys.push(policies.counter(index, key));
            self.keys.len() as u64
        })
    }

    fn hold(&mut self, policies: &Policies, index: usize, key: Digest) -> u64 {
        let identity = policies.identity(index, key);
        *self.held.entry(identity).or_insert_with(|| {
            self.holds.push(policies.counter(index, key) + ":h");
            self.holds.len() as u64
        })
    }
}

/// Numbers in MessagePack.
#[derive(Debug, Default)]
struct Numbers {
    bytes: Vec<u8>,
    count: u32,
}

impl Numbers {
    #[inline]
    fn put(&mut self, number: u64) {
        self.count += 1;
        match number.min(MAX_NUMBER) {
            small @ 0..0x80 => self.bytes.push(small as u8),
            number @ 0..0x1_0000 => {
                self.bytes.push(0xcd);
                self.bytes.extend_from_slice(&(number as u16).to_be_bytes());
            }
            number => {
                self.bytes.push(0xcf);
                self.bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
    }

    /// Both as one array.
    fn and(&self, other: &Self) -> Vec<u8> {
        let mut array = vec![0xdd];
        array.extend_from_slice(&(self.count + other.count).to_be_bytes());
        array.extend_from_slice(&self.bytes);
        array.extend_from_slice(&other.bytes);
        array
    }
}

fn check_keys(policies: &Policies, keys: &[Digest]) -> Result<(), Error> {
    let wanted = policies.entries().len();
    if keys.len() == wanted {
        return Ok(());
    }
    Err(Error::usage(format!("{} keys for {wanted} policies: give one for each", keys.len())))
}

fn counts_output(policies: &Policies, index: usize) -> bool {
    crate::reservation::counts_output(policies.entries()[index].quota.unit())
}

/// What a call pays of each policy besides output. What one quota cuts off an estimate is no use of another's.
fn prices(policies: &Policies, call: &Call) -> Vec<u64> {
    let units = policies.entries().iter().map(|entry| (entry.quota.unit(), entry.quota.capacity()));
    let under = |(unit, limit): (Unit, u64)| match unit {
        Unit::InputTokens => Some(call.input_under(limit, 0)),
        Unit::Tokens => Some(call.input_under(limit, call.least)),
        _ => None,
    };
    let input = units.clone().filter_map(under).min().unwrap_or(call.input);
    let fixed = |(unit, _)| match unit {
        Unit::InputTokens | Unit::Tokens => input,
        Unit::OutputTokens => 0,
        Unit::ConcurrentRequests => 1,
        Unit::Requests | Unit::Cost => call.units,
    };
    units.map(fixed).collect()
}

impl Call {
    /// As [`crate::reservation::admit::Ask`] cuts an estimate.
    fn input_under(&self, limit: u64, least: u64) -> u64 {
        if self.surely + least <= limit { self.input.min(limit - least) } else { self.input }
    }
}

const _: () = assert!(RULE_WORDS == 5, "the script reads five");
