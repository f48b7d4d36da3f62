//! `TableLimiter`: policies bound to a table.

use crate::arguments::{Cost, Tokens, with_key};
use crate::clock::AnyClock;
use crate::error::OrRaise;
use crate::permit::Permit;
use crate::reservation::Reservation;
use crate::result::{LimitResult, PolicyName};
use arrayvec::ArrayVec;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use ratelimit_guard_core::hash::Digest;
use ratelimit_guard_core::limiter::{Limiter, MAX_POLICIES};
use ratelimit_guard_core::reservation::admit::Ask;
use ratelimit_guard_host::keeper::Leases;
use ratelimit_guard_host::mapping::Mapping;
use std::sync::Arc;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct TableLimiter {
    limiter: Arc<Limiter<Mapping>>,
    clock: Arc<AnyClock>,
    names: Arc<[PolicyName]>,
    /// Of a limiter that counts tokens or concurrent requests.
    leases: Option<Arc<Leases>>,
}

/// One more than can be right, so that the core finds fault with any longer tuple too.
type Digests = ArrayVec<Digest, { MAX_POLICIES + 1 }>;

impl TableLimiter {
    pub fn new(limiter: Arc<Limiter<Mapping>>, clock: Arc<AnyClock>, leases: Option<Arc<Leases>>) -> Self {
        let names = limiter
            .counters()
            .iter()
            .map(|counter| PolicyName::new(counter.name.clone(), counter.quota.unit()))
            .collect();
        Self { limiter, clock, names, leases }
    }

    fn digests(&self, keys: &Bound<'_, PyTuple>) -> PyResult<Digests> {
        let most = keys.iter().take(MAX_POLICIES + 1);
        most.map(|key| with_key(&key, |key| self.limiter.digest(key))).collect()
    }
}

#[pymethods]
impl TableLimiter {
    #[pyo3(
        signature = (key, cost = Cost(1), confirmed = true),
        text_signature = "($self, key, cost=1, confirmed=True)",
    )]
    fn acquire(&self, key: &Bound<'_, PyAny>, cost: Cost, confirmed: bool) -> PyResult<LimitResult> {
        let outcome = with_key(key, |key| self.limiter.acquire(key, cost.0, confirmed, &*self.clock))?;
        Ok(LimitResult::new(outcome, &self.names))
    }

    #[pyo3(
        signature = (keys, cost = Cost(1), confirmed = true),
        text_signature = "($self, keys, cost=1, confirmed=True)",
    )]
    fn acquire_each(&self, keys: &Bound<'_, PyTuple>, cost: Cost, confirmed: bool) -> PyResult<LimitResult> {
        let digests = self.digests(keys)?;
        let each = self.limiter.acquire_each(&digests, cost.0, confirmed, &*self.clock);
        Ok(LimitResult::new(each.or_raise(keys.py())?, &self.names))
    }

    #[pyo3(signature = (keys, cost = Cost(1)), text_signature = "($self, keys, cost=1)")]
    fn peek_each(&self, keys: &Bound<'_, PyTuple>, cost: Cost) -> PyResult<LimitResult> {
        let digests = self.digests(keys)?;
        let each = self.limiter.peek_each(&digests, cost.0, &*self.clock);
        Ok(LimitResult::new(each.or_raise(keys.py())?, &self.names))
    }

    #[pyo3(signature = (key, cost = Cost(1)), text_signature = "($self, key, cost=1)")]
    fn peek(&self, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<LimitResult> {
        let outcome = with_key(key, |key| self.limiter.peek(key, cost.0, &*self.clock))?;
        Ok(LimitResult::new(outcome, &self.names))
    }

    fn reset(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        with_key(key, |key| self.limiter.reset(key, &*self.clock))
    }

    #[pyo3(
        signature = (key, cost = Cost(1), confirmed = true),
        text_signature = "($self, key, cost=1, confirmed=True)",
    )]
    fn permit(&self, py: Python<'_>, key: &Bound<'_, PyAny>, cost: Cost, confirmed: bool) -> PyResult<Permit> {
        let (outcome, receipts) = with_key(key, |key| self.limiter.permit(key, cost.0, confirmed, &*self.clock))?;
        let result = Py::new(py, LimitResult::new(outcome, &self.names))?;
        Ok(Permit::new(result, self.limiter.clone(), self.clock.clone(), receipts))
    }

    #[pyo3(
        signature = (
            keys, units = Cost(1), input_tokens = Tokens(0), output_tokens = Tokens(0), *,
            surely = Tokens(0), least = Tokens(0), firm = false, account = None, confirmed = true
        ),
        text_signature = "($self, keys, units=1, input_tokens=0, output_tokens=0, *, surely=0, least=0, firm=False, account=None, confirmed=True)",
    )]
    #[allow(clippy::too_many_arguments)] // as many as Python passes
    fn reserve(
        &self,
        keys: &Bound<'_, PyTuple>,
        units: Cost,
        input_tokens: Tokens,
        output_tokens: Tokens,
        surely: Tokens,
        least: Tokens,
        firm: bool,
        account: Option<&Bound<'_, PyAny>>,
        confirmed: bool,
    ) -> PyResult<Reservation> {
        let (py, digests) = (keys.py(), self.digests(keys)?);
        let hash = |account| with_key(account, |account| self.limiter.digest(account));
        let account = account.map(hash).transpose()?.map_or(0, |digest| digest.0[0].max(1));
        let (units, input, output) = (units.0, input_tokens.0, output_tokens.0);
        let ask = Ask { units, input, surely: surely.0, output, least: least.0, firm, account, confirmed };
        let own = self.leases.as_ref().map(|leases| (leases, leases.own()));
        let ledger = own.map(|(leases, own)| (leases.ledger(), own.owner()));
        let (outcome, held) = self.limiter.reserve(&digests, &ask, ledger, &*self.clock).or_raise(py)?;
        if let (Some((leases, own)), AnyClock::Machine) = (own, &*self.clock) {
            leases.watch(own);
        }
        let result = Py::new(py, LimitResult::new(outcome, &self.names))?;
        Ok(Reservation::new(result, self.names.clone(), self.clock.clone(), held, own))
    }
}
