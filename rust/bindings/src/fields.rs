//! `Fields` and `Turn`: what stands where in a body, decoded when asked for.

use crate::minhash::DETACH_BYTES;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use ratelimit_guard_core::prompt::fields::{self, Parameter, Piece, Problem, Role, Span};
use ratelimit_guard_core::prompt::json;
use ratelimit_guard_core::tokens::estimate;

#[pyclass(frozen, module = "ratelimit_guard.prompt")]
pub struct Fields {
    pub body: Py<PyBytes>,
    pub problem: Option<String>,
    pieces: Box<[Piece]>,
    places: Box<[(Parameter, Span)]>,
    tools: u32,
}

impl Fields {
    pub fn new(body: &Bound<'_, PyBytes>, found: &fields::Fields, problem: Option<Problem>) -> Self {
        Self {
            body: body.clone().unbind(),
            problem: problem.map(|problem| problem.name().to_owned()),
            pieces: found.pieces.as_slice().into(),
            places: found.places.as_slice().into(),
            tools: found.tools,
        }
    }

    pub fn none(py: Python<'_>, problem: String) -> Self {
        let empty = fields::Fields::default();
        Self { problem: Some(problem), ..Self::new(&PyBytes::new(py, b""), &empty, None) }
    }

    /// Prompt tokens: estimated, and surely at least. What is too long or too deep to be read counts by its bytes; what
    /// is no JSON is no prompt.
    pub fn tokens(&self, py: Python<'_>) -> (u64, u64) {
        let body = self.body.as_bytes(py);
        let count = || estimate::body(body, &self.pieces, self.places(Parameter::Tools));
        match self.problem.as_deref() {
            None if body.len() < DETACH_BYTES => count(),
            None => py.detach(count),
            Some(problem) if problem.starts_with("too-") => (estimate::unread(body.len()), 0),
            Some(_) => (0, 0),
        }
    }

    /// The places where a parameter stands.
    fn places(&self, parameter: Parameter) -> impl DoubleEndedIterator<Item = Span> {
        self.places.iter().filter(move |(known, _)| *known == parameter).map(|(_, span)| *span)
    }

    /// The JSON of each of them.
    fn values<'a>(&'a self, py: Python<'a>, parameter: Parameter) -> impl DoubleEndedIterator<Item = &'a str> {
        let body = self.body.as_bytes(py);
        self.places(parameter).map(|span| str::from_utf8(&body[span.range()]).unwrap_or_default())
    }

    /// The JSON of the last model named.
    pub fn named_model<'a>(&'a self, py: Python<'a>) -> Option<&'a str> {
        self.values(py, Parameter::Model).next_back()
    }

    /// The last one that is a string.
    fn string(&self, py: Python<'_>, parameter: Parameter) -> Option<String> {
        let body = self.body.as_bytes(py);
        let span = self.places(parameter).rfind(|span| body[span.range()].starts_with(b"\""))?;
        let mut text = String::new();
        json::text(body, span, &mut text);
        Some(text)
    }

    /// The largest one that is a whole number, in whatever form: nobody knows which of several an application heeds,
    /// and some take `3e2` for 300. What 64 bits cannot hold is the most that they can.
    fn whole(&self, py: Python<'_>, parameter: Parameter) -> Option<u64> {
        let number = |value: &str| {
            let real =
                || value.parse().ok().filter(|real: &f64| *real >= 0.0 && (real.fract() == 0.0 || real.is_infinite()));
            value
                .parse()
                .ok()
                .or_else(|| value.starts_with(|first: char| first.is_ascii_digit()).then(real)?.map(|real| real as u64))
        };
        self.values(py, parameter).filter_map(number).max()
    }

    /// The last one that is a number, and not too large to be one.
    fn real(&self, py: Python<'_>, parameter: Parameter) -> Option<f64> {
        let number = |value: &str| value.parse().ok().filter(|number: &f64| number.is_finite());
        self.values(py, parameter).filter_map(number).next_back()
    }
}

/// A line for each piece.
fn text<'py, 'a>(
    py: Python<'py>,
    body: &[u8],
    pieces: impl Iterator<Item = &'a Piece> + Clone,
) -> Bound<'py, PyString> {
    if let (Some(piece), None) = (pieces.clone().next(), pieces.clone().nth(1))
        && !piece.escaped
    {
        return PyString::new(py, str::from_utf8(json::inside(body, piece.span)).unwrap_or_default());
    }
    let (mut all, mut one) = (String::new(), String::new());
    for (place, piece) in pieces.enumerate() {
        json::text(body, piece.span, &mut one);
        all.push_str(if place == 0 { "" } else { "\n" });
        all.push_str(&one);
    }
    PyString::new(py, &all)
}

#[pymethods]
impl Fields {
    #[getter]
    fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
    #[getter]
    fn body(&self, py: Python<'_>) -> Py<PyBytes> {
        self.body.clone_ref(py)
    }
    #[getter]
    fn turns(&self, py: Python<'_>) -> Vec<Turn> {
        let turns = self.pieces.chunk_by(|one, next| one.turn == next.turn && one.role == next.role);
        let turn = |pieces: &[Piece]| Turn { body: self.body.clone_ref(py), pieces: pieces.into() };
        turns.map(turn).collect()
    }
    #[getter]
    fn system<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        text(py, self.body.as_bytes(py), self.pieces.iter().filter(|piece| piece.role == Role::System))
    }
    #[getter]
    fn user<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        let last = self.pieces.iter().rev().find(|piece| piece.role == Role::User).map(|piece| piece.turn);
        let pieces = self.pieces.iter().filter(|piece| piece.role == Role::User && Some(piece.turn) == last);
        text(py, self.body.as_bytes(py), pieces)
    }
    #[getter]
    fn model(&self, py: Python<'_>) -> Option<String> {
        self.string(py, Parameter::Model)
    }
    #[getter]
    fn max_tokens(&self, py: Python<'_>) -> Option<u64> {
        self.whole(py, Parameter::MaxTokens)
    }
    #[getter]
    fn n(&self, py: Python<'_>) -> Option<u64> {
        self.whole(py, Parameter::N)
    }
    #[getter]
    fn logprobs(&self, py: Python<'_>) -> bool {
        let asked = |value: &str| value == "true" || value.parse().is_ok_and(|number: f64| number > 0.0);
        self.values(py, Parameter::Logprobs).chain(self.values(py, Parameter::TopLogprobs)).any(asked)
    }
    #[getter]
    fn stream(&self, py: Python<'_>) -> bool {
        self.values(py, Parameter::Stream).any(|value| value == "true")
    }
    #[getter]
    fn user_id(&self, py: Python<'_>) -> Option<String> {
        self.string(py, Parameter::User)
    }
    #[getter]
    fn tools(&self) -> u32 {
        self.tools
    }
    #[getter]
    fn temperature(&self, py: Python<'_>) -> Option<f64> {
        self.real(py, Parameter::Temperature)
    }
    #[getter]
    fn top_p(&self, py: Python<'_>) -> Option<f64> {
        self.real(py, Parameter::TopP)
    }
    #[getter]
    fn top_logprobs(&self, py: Python<'_>) -> Option<u64> {
        self.whole(py, Parameter::TopLogprobs)
    }
    #[getter]
    fn spans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let spans = PyDict::new(py);
        for parameter in Parameter::ALL {
            let places: Vec<_> = self.places(parameter).map(|span| (span.start, span.end)).collect();
            if !places.is_empty() {
                spans.set_item(parameter.name(), places)?;
            }
        }
        Ok(spans)
    }
    fn __repr__(&self) -> String {
        let problem = self.problem.as_deref().unwrap_or("None");
        format!("Fields(pieces={}, problem={problem})", self.pieces.len())
    }
}

#[pyclass(frozen, module = "ratelimit_guard.prompt")]
pub struct Turn {
    body: Py<PyBytes>,
    pieces: Box<[Piece]>,
}

#[pymethods]
impl Turn {
    #[getter]
    fn role(&self) -> &'static str {
        self.pieces[0].role.name()
    }
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        text(py, self.body.as_bytes(py), self.pieces.iter())
    }
    #[getter]
    fn spans(&self) -> Vec<(u32, u32)> {
        self.pieces.iter().map(|piece| (piece.span.start, piece.span.end)).collect()
    }
    fn __repr__(&self) -> String {
        format!("Turn(role={:?}, pieces={})", self.role(), self.pieces.len())
    }
}
