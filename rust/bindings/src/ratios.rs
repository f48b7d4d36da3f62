//! `Ratios`: what the tokens of models really are.

use crate::fields::Fields;
use pyo3::prelude::*;
use ratelimit_guard_core::tokens::ratios;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Ratios(Mutex<ratios::Ratios>);

impl Ratios {
    fn lock(&self) -> MutexGuard<'_, ratios::Ratios> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Ratios {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn need(&self, fields: &Bound<'_, Fields>) -> (u64, u64, u64, u64, u64) {
        let (py, fields) = (fields.py(), fields.get());
        let (estimated, surely) = fields.tokens(py);
        let model = fields.named_model(py).map_or(0, |name| ratios::Ratios::number(name.as_bytes()));
        let known = self.lock().of(model).input;
        let needed = known.safe(estimated);
        (needed, surely.min(needed), known.usual(estimated), estimated, model)
    }

    fn passed(&self, model: u64, counted: u64) -> u64 {
        self.lock().of(model).output.seen(counted)
    }

    fn used(&self, model: u64, counted: u64) -> u64 {
        self.lock().of(model).output.usual(counted)
    }

    fn learn(&self, model: u64, estimated: u64, counted: u64, usage: (Option<u64>, Option<u64>)) {
        let (input, output) = usage;
        self.lock().learn(model, input.map(|used| (estimated, used)), output.map(|used| (counted, used)));
    }
}
