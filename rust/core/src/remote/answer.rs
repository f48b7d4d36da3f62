//! What the script answers.

use super::policies::Policies;
use crate::error::Error;
use crate::limiter::Outcome;
use crate::rule::Answer;
use crate::time::Nanos;
use std::sync::Arc;

/// How a question is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A charge of which nothing is given back.
    Plain,
    /// A charge, with receipts.
    Charge,
    Peek,
    Flag,
    Renewal,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) policies: Arc<Policies>,
}

/// What was taken of one policy, and by what it can be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Units.
    pub units: u64,
    /// Epoch or instant of the charge.
    pub mark: u64,
    /// The counter's life.
    pub born: u64,
}

/// The answer to one question.
#[derive(Debug)]
pub enum Answered {
    /// Refused, or looked at.
    Told(Outcome),
    /// Charged, with so much output or extra; receipts if asked for.
    Charged(Outcome, u64, Vec<Receipt>),
    /// Not done: the gate was closed.
    Skipped,
    /// One of the keys holds something that this package has not written.
    Damaged,
    /// Yes or no.
    Flag(bool),
    /// The slot's new mark; None: it was gone.
    Renewed(Option<u64>),
}

/// All answers.
#[derive(Debug)]
pub struct Reply {
    /// The instant, µs.
    pub now: u64,
    /// In the order of the questions.
    pub answers: Vec<Answered>,
    /// Reservations taken back from owners that are gone.
    pub reclaimed: u64,
}

pub(super) fn read(asked: &[Asked], reply: &[u8]) -> Result<Reply, Error> {
    let mut numbers = Numbers::of(reply)?;
    let now = numbers.next()?;
    let answers = asked.iter().map(|asked| numbers.answer(asked)).collect::<Result<_, _>>()?;
    Ok(Reply { now, answers, reclaimed: numbers.next()? })
}

fn outcome(count: usize, mut one: impl FnMut(usize) -> Result<Answer, Error>) -> Result<Outcome, Error> {
    if count == 1 {
        return one(0).map(Outcome::one);
    }
    (0..count).map(one).collect::<Result<_, Error>>().map(Outcome::of)
}

fn wrong() -> Error {
    Error::store("the server answered what no ratelimit-guard script says: is something between it and us?")
}

/// Reads an array of numbers in MessagePack.
struct Numbers<'r>(&'r [u8]);

impl<'r> Numbers<'r> {
    fn of(reply: &'r [u8]) -> Result<Self, Error> {
        let head = match reply.first() {
            Some(0x90..=0x9f) => 1,
            Some(0xdc) => 3,
            Some(0xdd) => 5,
            _ => return Err(wrong()),
        };
        reply.get(head..).map(Self).ok_or_else(wrong)
    }

    /// The next number; −1 is the largest there is.
    #[inline]
    fn next(&mut self) -> Result<u64, Error> {
        let (&first, rest) = self.0.split_first().ok_or_else(wrong)?;
        let size = match first {
            0..0x80 => 0,
            0xff => 0,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xce | 0xd2 => 4,
            0xcf | 0xd3 => 8,
            _ => return Err(wrong()),
        };
        let (bytes, rest) = rest.split_at_checked(size).ok_or_else(wrong)?;
        self.0 = rest;
        Ok(match (first, size) {
            (0xff, _) => u64::MAX,
            (small, 0) => small.into(),
            _ => bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)),
        })
    }

    fn answer(&mut self, asked: &Asked) -> Result<Answered, Error> {
        let count = asked.policies.entries().len();
        match (asked.kind, self.next()?) {
            (Kind::Flag, yes) => Ok(Answered::Flag(yes == 1)),
            (Kind::Renewal, 1) => Ok(Answered::Renewed(Some(self.next()?))),
            (Kind::Renewal, _) => Ok(Answered::Renewed(None)),
            (_, 0) => self.told(count),
            (kind, 1) => self.charged(count, matches!(kind, Kind::Charge)),
            (_, 2) => Ok(Answered::Skipped),
            (_, 3) => Ok(Answered::Damaged),
            _ => Err(wrong()),
        }
    }

    fn told(&mut self, count: usize) -> Result<Answered, Error> {
        let one = |_| {
            let (limit, remaining) = (self.next()?, self.next()?);
            let (reset_after, retry_after) = (self.span()?, self.span()?);
            Ok(Answer { allowed: retry_after == Nanos(0), limit, remaining, reset_after, retry_after })
        };
        outcome(count, one).map(Answered::Told)
    }

    fn charged(&mut self, count: usize, with_receipts: bool) -> Result<Answered, Error> {
        let (out, mut receipts) = (self.next()?, Vec::new());
        let one = |_| {
            let (limit, remaining, reset_after) = (self.next()?, self.next()?, self.span()?);
            if with_receipts {
                receipts.push(Receipt { units: self.next()?, mark: self.next()?, born: self.next()? });
            }
            Ok(Answer { allowed: true, limit, remaining, reset_after, retry_after: Nanos(0) })
        };
        let outcome = outcome(count, one)?;
        Ok(Answered::Charged(outcome, out, receipts))
    }

    fn span(&mut self) -> Result<Nanos, Error> {
        Ok(match self.next()? {
            u64::MAX => Nanos::NEVER,
            micros => Nanos(micros.saturating_mul(1_000)),
        })
    }
}
