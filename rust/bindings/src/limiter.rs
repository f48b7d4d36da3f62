//! `TableLimiter`: policies bound to a table.

use crate::arguments::{Cost, with_key};
use crate::clock::AnyClock;
use crate::error::OrRaise;
use crate::permit::Permit;
use crate::result::{LimitResult, PolicyName};
use arrayvec::ArrayVec;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use ratelimit_guard_core::hash::Digest;
use ratelimit_guard_core::limiter::{Limiter, MAX_POLICIES};
use ratelimit_guard_host::mapping::Mapping;
use std::sync::Arc;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct TableLimiter {
    limiter: Arc<Limiter<Mapping>>,
    clock: Arc<AnyClock>,
    names: Arc<[PolicyName]>,
}

/// One more than can be right, so that the core finds fault with any longer tuple too.
type Digests = ArrayVec<Digest, { MAX_POLICIES + 1 }>;

impl TableLimiter {
    pub fn new(limiter: Arc<Limiter<Mapping>>, clock: Arc<AnyClock>) -> Self {
        let names = limiter.counters().iter().map(|counter| PolicyName::new(counter.name.clone())).collect();
        Self { limiter, clock, names }
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
}
