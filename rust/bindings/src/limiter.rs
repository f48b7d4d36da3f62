//! `TableLimiter`: policies bound to a table.

use crate::arguments::{Cost, with_key};
use crate::clock::AnyClock;
use crate::permit::Permit;
use crate::result::LimitResult;
use pyo3::prelude::*;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_host::mapping::Mapping;
use std::sync::Arc;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct TableLimiter {
    limiter: Arc<Limiter<Mapping>>,
    clock: Arc<AnyClock>,
    names: Arc<[String]>,
}

impl TableLimiter {
    pub fn new(limiter: Arc<Limiter<Mapping>>, clock: Arc<AnyClock>) -> Self {
        let names = limiter.counters().iter().map(|counter| counter.name.clone()).collect();
        Self { limiter, clock, names }
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
