//! `Permit`: slots in flight of one key.

use crate::clock::AnyClock;
use crate::result::LimitResult;
use pyo3::prelude::*;
use ratelimit_guard_core::counter::Receipt;
use ratelimit_guard_core::limiter::Limiter;
use ratelimit_guard_core::time::Clock;
use ratelimit_guard_host::mapping::Mapping;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Permit {
    result: Py<LimitResult>,
    limiter: Arc<Limiter<Mapping>>,
    clock: Arc<AnyClock>,
    /// One per policy of concurrent requests; empty once released or refused.
    receipts: Mutex<Vec<(usize, Receipt)>>,
    /// A forked child has a copy of the receipts, and using them twice would free somebody else's slot.
    process: u32,
}

impl Permit {
    pub fn new(
        result: Py<LimitResult>,
        limiter: Arc<Limiter<Mapping>>,
        clock: Arc<AnyClock>,
        receipts: Vec<(usize, Receipt)>,
    ) -> Self {
        Self { result, limiter, clock, receipts: Mutex::new(receipts), process: process::id() }
    }

    /// None in another process, where the lock may be held by a thread that the fork left behind.
    fn held(&self) -> Option<MutexGuard<'_, Vec<(usize, Receipt)>>> {
        (process::id() == self.process).then(|| self.receipts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl Permit {
    #[getter]
    fn result(&self, py: Python<'_>) -> Py<LimitResult> {
        self.result.clone_ref(py)
    }

    fn release(&self) -> bool {
        self.held().is_some_and(|mut receipts| self.limiter.release(&mut receipts, self.clock.now()))
    }

    fn renew(&self) -> bool {
        self.held().is_some_and(|mut receipts| self.limiter.renew(&mut receipts, self.clock.now()))
    }

    fn __bool__(&self) -> bool {
        self.result.get().allowed()
    }
}
