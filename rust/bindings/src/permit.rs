//! `Permit`: slots in flight of one key.

use crate::clock::AnyClock;
use crate::result::LimitResult;
use pyo3::prelude::*;
use ratelimit_guard_core::counter::Receipt;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::time::Clock;
use ratelimit_guard_host::mapping::Mapping;
use std::sync::{Arc, Mutex, PoisonError};

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Permit {
    result: Py<LimitResult>,
    limiter: Arc<Limiter<Mapping>>,
    clock: Arc<AnyClock>,
    /// One per policy of concurrent requests; empty once released or refused.
    receipts: Mutex<Vec<(usize, Receipt)>>,
}

impl Permit {
    pub fn new(
        result: Py<LimitResult>,
        limiter: Arc<Limiter<Mapping>>,
        clock: Arc<AnyClock>,
        receipts: Vec<(usize, Receipt)>,
    ) -> Self {
        Self { result, limiter, clock, receipts: Mutex::new(receipts) }
    }
}

#[pymethods]
impl Permit {
    #[getter]
    fn result(&self, py: Python<'_>) -> Py<LimitResult> {
        self.result.clone_ref(py)
    }

    fn release(&self) -> bool {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        self.limiter.release(&mut receipts, self.clock.now())
    }

    fn renew(&self) -> bool {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        self.limiter.renew(&mut receipts, self.clock.now())
    }

    fn __bool__(&self) -> bool {
        self.result.get().allowed()
    }
}
