//! `LimitResult`: an outcome with the names of its policies.

use crate::error::{OrRaise, exception};
use crate::unit_fields::{Counted, Style, unit_fields};
use arrayvec::ArrayVec;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::limiter::{Answers, MAX_POLICIES, Outcome};
use ratelimit_guard_core::quota::Unit;
use ratelimit_guard_core::rule::Answer;
use ratelimit_guard_core::time::Nanos;
use std::fmt::Write;
use std::sync::Arc;

/// A policy's name, the same as a string of a structured field, and what it counts.
pub struct PolicyName {
    plain: String,
    quoted: String,
    unit: Unit,
}

impl PolicyName {
    pub fn new(plain: String, unit: Unit) -> Self {
        let quoted = format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""));
        Self { plain, quoted, unit }
    }
}

/// A policy and its answer as pickle stores them: name, unit, limit, allowed, remaining, and two spans in nanoseconds.
type Row = (String, String, u64, bool, u64, u64, u64);
/// Index of the tightest policy, and all of them.
type State = (usize, Vec<Row>);

#[pyclass(frozen, freelist = 64, module = "ratelimit_guard._core")]
pub struct LimitResult {
    outcome: Outcome,
    /// Policy of the outcome's first answer.
    first: usize,
    names: Arc<[PolicyName]>,
}

impl LimitResult {
    #[inline]
    pub fn new(outcome: Outcome, names: &Arc<[PolicyName]>) -> Self {
        Self { outcome, first: 0, names: names.clone() }
    }

    fn answer(&self) -> &Answer {
        self.outcome.answer()
    }

    /// The same after some time in which nothing was taken; a refusal stays one.
    pub fn aged(&self, time: Nanos, spare: u64) -> Self {
        let later = |answer: &Answer| {
            let left =
                |span: Nanos| if span == Nanos::NEVER { span } else { (span - time).max(Nanos(u64::from(span.0 > 0))) };
            let (reset_after, retry_after) = (left(answer.reset_after), left(answer.retry_after));
            let remaining = answer.remaining.saturating_add(spare).min(answer.limit);
            Answer { remaining, reset_after, retry_after, ..*answer }
        };
        let outcome = match &self.outcome.answers {
            Answers::One([answer]) => Outcome::one(later(answer)),
            Answers::Many(answers) => Outcome::of(answers.iter().map(later).collect()),
        };
        Self { outcome, first: self.first, names: self.names.clone() }
    }

    /// Of every policy.
    pub fn answers(&self) -> &[Answer] {
        self.outcome.answers()
    }

    fn counted(&self) -> ArrayVec<Counted<'_>, MAX_POLICIES> {
        self.names[self.first..].iter().map(|name| name.unit).zip(self.outcome.answers()).collect()
    }

    fn only(&self, index: usize) -> Self {
        let answers = Answers::One([self.outcome.answers()[index]]);
        Self { outcome: Outcome { answers, tightest: 0 }, first: self.first + index, names: self.names.clone() }
    }
}

#[pymethods]
impl LimitResult {
    #[getter]
    pub fn allowed(&self) -> bool {
        self.answer().allowed
    }
    #[getter]
    fn limit(&self) -> u64 {
        self.answer().limit
    }
    #[getter]
    fn remaining(&self) -> u64 {
        self.answer().remaining
    }
    #[getter]
    fn reset_after(&self) -> f64 {
        self.answer().reset_after.as_secs_f64()
    }
    #[getter]
    fn retry_after(&self) -> f64 {
        self.answer().retry_after.as_secs_f64()
    }
    #[getter]
    fn policy(&self) -> &str {
        &self.names[self.first + self.outcome.tightest].plain
    }
    #[getter]
    fn unit(&self) -> &str {
        self.names[self.first + self.outcome.tightest].unit.name()
    }
    #[getter]
    fn results<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, (0..self.outcome.answers().len()).map(|index| self.only(index)))
    }
    fn ratelimit_field<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut text = String::with_capacity(64 * self.outcome.answers().len());
        for (name, answer) in self.names[self.first..].iter().zip(self.outcome.answers()) {
            let after = if answer.allowed { answer.reset_after } else { answer.retry_after };
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{};r={}", name.quoted, answer.remaining); // a String takes all
            if after != Nanos::NEVER {
                let _ = write!(text, ";t={}", after.0.div_ceil(Nanos::SECOND.0));
            }
        }
        PyBytes::new(py, text.as_bytes())
    }
    fn openai_fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        unit_fields(py, &self.counted(), &Style::OpenAi)
    }
    fn anthropic_fields<'py>(&self, py: Python<'py>, unix_time: f64) -> PyResult<Bound<'py, PyList>> {
        unit_fields(py, &self.counted(), &Style::Anthropic(unix_time))
    }
    fn __bool__(&self) -> bool {
        self.allowed()
    }
    fn __reduce__(&self, py: Python<'_>) -> PyResult<(Py<PyAny>, State)> {
        let row = |(name, answer): (&PolicyName, &Answer)| {
            let Answer { allowed, limit, remaining, reset_after, retry_after } = *answer;
            (name.plain.clone(), name.unit.name().into(), limit, allowed, remaining, reset_after.0, retry_after.0)
        };
        let rows = self.names[self.first..].iter().zip(self.outcome.answers()).map(row).collect();
        Ok((py.get_type::<Self>().getattr("_restore")?.unbind(), (self.outcome.tightest, rows)))
    }
    #[staticmethod]
    fn _restore(py: Python<'_>, tightest: usize, rows: Vec<Row>) -> PyResult<Self> {
        if tightest >= rows.len() {
            return Err(exception(py, &Error::usage("not the pickle of a LimitResult")));
        }
        let read = |(name, unit, limit, allowed, remaining, reset_after, retry_after): Row| {
            let (reset_after, retry_after) = (Nanos(reset_after), Nanos(retry_after));
            let name = PolicyName::new(name, Unit::named(&unit)?);
            Ok((name, Answer { allowed, limit, remaining, reset_after, retry_after }))
        };
        let rows: Vec<_> = rows.into_iter().map(read).collect::<Result<_, Error>>().or_raise(py)?;
        let (names, answers): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let outcome = Outcome { answers: Answers::Many(answers.into()), tightest };
        Ok(Self::new(outcome, &names.into()))
    }
    fn __repr__(&self) -> String {
        let Answer { allowed, limit, remaining, reset_after, retry_after } = *self.answer();
        format!(
            "LimitResult(allowed={}, limit={limit}, remaining={remaining}, reset_after={}, retry_after={}, policy={:?})",
            if allowed { "True" } else { "False" },
            reset_after.as_secs_f64(),
            retry_after.as_secs_f64(),
            self.policy()
        )
    }
}
