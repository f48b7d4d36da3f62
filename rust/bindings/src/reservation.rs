//! `Reservation`: what a call of a model holds while it runs.

use crate::arguments::{Cost, Tokens};
use crate::clock::AnyClock;
use crate::result::{LimitResult, PolicyName};
use pyo3::prelude::*;
use ratelimit_guard_core::reservation;
use ratelimit_guard_host::keeper::{Kept, Leases, Own};
use ratelimit_guard_host::mapping::Mapping;
use ratelimit_guard_host::process;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Reservation {
    result: Py<LimitResult>,
    names: Arc<[PolicyName]>,
    clock: Arc<AnyClock>,
    /// None when refused.
    kept: Option<Arc<Kept>>,
    /// Has nobody ended it? Asking this first spares the dropped ones most of their end.
    is_open: AtomicBool,
    /// Where its leases are renewed, under this number.
    leases: Option<(Arc<Leases>, u64)>,
    /// A forked child has a copy, and using it twice would give back what somebody else charged.
    process: u32,
}

impl Reservation {
    pub fn new(
        result: Py<LimitResult>,
        names: Arc<[PolicyName]>,
        clock: Arc<AnyClock>,
        held: Option<reservation::Reservation<Mapping>>,
        leases: Option<(&Arc<Leases>, &Own)>,
    ) -> Self {
        let kept = held.map(|held| Arc::new(Mutex::new(held)));
        let process = leases.map_or_else(process::number, |(_, own)| own.process());
        let leases = leases.zip(kept.as_ref()).map(|((leases, own), kept)| (leases.clone(), own.enlist(kept)));
        let is_open = AtomicBool::new(kept.is_some());
        Self { result, names, clock, kept, is_open, leases, process }
    }

    /// None when refused, and in another process, where the lock may be held by a thread that the fork left behind.
    fn held(&self) -> Option<MutexGuard<'_, reservation::Reservation<Mapping>>> {
        let kept = self.kept.as_ref().filter(|_| process::number() == self.process)?;
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&self, how: impl FnOnce(&mut reservation::Reservation<Mapping>)) {
        if !self.is_open.load(Acquire) {
            return;
        }
        let Some(mut held) = self.held() else { return };
        how(&mut held);
        drop(held);
        self.is_open.store(false, Release);
        if let Some((leases, number)) = &self.leases {
            leases.strike(self.process, *number);
        }
    }
}

#[pymethods]
impl Reservation {
    #[getter]
    fn result(&self, py: Python<'_>) -> Py<LimitResult> {
        self.result.clone_ref(py)
    }

    #[getter]
    fn spent(&self) -> u64 {
        self.held().map_or(0, |held| held.spent())
    }

    #[getter]
    fn input_tokens(&self) -> Option<u64> {
        self.held().and_then(|held| held.input())
    }

    fn spend(&self, output_tokens: Tokens, slice: Tokens) -> bool {
        self.held().is_none_or(|mut held| held.spend(output_tokens.0, slice.0, &*self.clock))
    }

    fn charge(&self, py: Python<'_>, units: Cost) -> PyResult<Py<LimitResult>> {
        let Some(outcome) = self.held().map(|mut held| held.charge(units.0, &*self.clock)) else {
            return Ok(self.result.clone_ref(py));
        };
        Py::new(py, LimitResult::new(outcome, &self.names))
    }

    #[pyo3(
        signature = (input_tokens = None, output_tokens = None),
        text_signature = "($self, input_tokens=None, output_tokens=None)",
    )]
    fn settle(&self, input_tokens: Option<Tokens>, output_tokens: Option<Tokens>) {
        let [input, output] = [input_tokens, output_tokens].map(|tokens| tokens.map(|tokens| tokens.0));
        self.end(|held| held.settle(input, output, &*self.clock));
    }

    fn release(&self) {
        self.end(|held| held.release(&*self.clock));
    }

    fn __bool__(&self) -> bool {
        self.result.get().allowed()
    }
}

/// What nobody ended was used as far as it was spent: tasks are cancelled, and generators dropped.
impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(|held| held.settle(None, None, &*self.clock));
    }
}
