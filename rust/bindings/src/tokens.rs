//! `estimate`, `Meter` and `UsageFilter`: what a call of a model uses.

use crate::arguments::with_text;
use crate::error::exception;
use crate::fields::Fields;
use crate::minhash::DETACH_BYTES;
use crate::ratios::Ratios;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::tokens::{self, filter, lines, meter, text};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[pyfunction]
fn estimate(fields: &Bound<'_, Fields>) -> (u64, u64) {
    fields.get().tokens(fields.py())
}

#[pyfunction]
fn estimate_text(text: &Bound<'_, PyAny>) -> PyResult<u64> {
    with_text("text", text, |bytes| Ok(tokens::estimate::text(bytes)))
}

/// No Python code runs while the lock is held, so that nothing can wait for itself.
#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct Meter(Mutex<meter::Meter>);

impl Meter {
    fn lock(&self) -> MutexGuard<'_, meter::Meter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Meter {
    #[new]
    #[pyo3(signature = (kind, text = true))]
    fn new(py: Python<'_>, kind: &str, text: bool) -> PyResult<Self> {
        match kind {
            "json" => Ok(Self(Mutex::new(meter::Meter::document(text)))),
            "events" => Ok(Self(Mutex::new(meter::Meter::events(text)))),
            _ => Err(exception(py, &Error::usage(format!("kind must be json or events, got {kind:.100?}")))),
        }
    }

    fn feed(&self, py: Python<'_>, chunk: &[u8]) -> u64 {
        let feed = || self.lock().feed(chunk);
        if chunk.len() < DETACH_BYTES { feed() } else { py.detach(feed) }
    }

    fn finish(&self) -> u64 {
        self.lock().finish()
    }

    #[getter]
    fn usage(&self) -> (Option<u32>, Option<u32>) {
        let usage = self.lock().usage();
        (usage.input(), usage.output())
    }

    #[getter]
    fn estimated(&self) -> u64 {
        self.lock().estimated()
    }

    fn text<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        let text = self.lock().text();
        text.map(|text| PyString::new(py, &text))
    }

    fn document<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let body = self.lock().body().map(<[u8]>::to_vec);
        body.map(|body| PyBytes::new(py, &body))
    }

    #[getter]
    fn in_event(&self) -> bool {
        self.lock().place().is_some_and(lines::Place::in_event)
    }

    fn rest_of_event(&self, chunk: &[u8]) -> usize {
        self.lock().place().map_or(0, |place| place.rest_of_event(chunk))
    }
}

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct UsageFilter(Mutex<filter::UsageFilter>);

impl UsageFilter {
    fn lock(&self) -> MutexGuard<'_, filter::UsageFilter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl UsageFilter {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn feed<'py>(&self, py: Python<'py>, chunk: &[u8]) -> Bound<'py, PyBytes> {
        let passes = self.lock().feed(chunk);
        PyBytes::new(py, &passes)
    }

    fn finish<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let passes = self.lock().finish();
        PyBytes::new(py, &passes)
    }
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "tokens")?;
    module.add_class::<Meter>()?;
    module.add_class::<UsageFilter>()?;
    module.add_class::<Ratios>()?;
    module.add_function(wrap_pyfunction!(estimate, &module)?)?;
    module.add_function(wrap_pyfunction!(estimate_text, &module)?)?;
    module.add("MAX_TOKENS", tokens::MAX_TOKENS)?;
    module.add("MAX_LINE", lines::MAX_LINE)?;
    module.add("MAX_TEXT", text::MAX_TEXT)?;
    module.add("MAX_ANSWER_BODY", meter::MAX_ANSWER_BODY)?;
    Ok(module)
}
