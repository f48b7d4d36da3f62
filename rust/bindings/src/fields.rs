//! `Fields` and `Turn`: what stands where in a body, decoded when asked for.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use ratelimit_guard_core::prompt::fields::{self, Parameter, Piece, Problem, Role, Span};
use ratelimit_guard_core::prompt::json;

#[pyclass(frozen, module = "ratelimit_guard.prompt")]
pub struct Fields {
    pub body: Py<PyBytes>,
    pub problem: Option<String>,
    pieces: Box<[Piece]>,
    parameters: [Option<Span>; Parameter::ALL.len()],
    tools: u32,
}

impl Fields {
    pub fn new(body: &Bound<'_, PyBytes>, found: &fields::Fields, problem: Option<Problem>) -> Self {
        Self {
            body: body.clone().unbind(),
            problem: problem.map(|problem| problem.name().to_owned()),
            pieces: found.pieces.as_slice().into(),
            parameters: found.parameters,
            tools: found.tools,
        }
    }

    pub fn none(py: Python<'_>, problem: String) -> Self {
        let empty = fields::Fields::default();
        Self { problem: Some(problem), ..Self::new(&PyBytes::new(py, b""), &empty, None) }
    }

    /// The text of a parameter's value: of a string what it means, of anything else its JSON.
    fn value(&self, py: Python<'_>, parameter: Parameter) -> Option<String> {
        let mut text = String::new();
        json::text(self.body.as_bytes(py), self.parameters[parameter as usize]?, &mut text);
        Some(text)
    }

    fn string(&self, py: Python<'_>, parameter: Parameter) -> Option<String> {
        let span = self.parameters[parameter as usize]?;
        self.body.as_bytes(py)[span.range()].starts_with(b"\"").then(|| self.value(py, parameter))?
    }

    fn whole(&self, py: Python<'_>, parameter: Parameter) -> Option<u64> {
        self.json(py, parameter)?.parse().ok()
    }

    /// The JSON of a value that is no string.
    fn json(&self, py: Python<'_>, parameter: Parameter) -> Option<String> {
        self.value(py, parameter).filter(|value| self.string(py, parameter).as_ref() != Some(value))
    }

    /// A line for each piece.
    fn text<'a>(&self, py: Python<'_>, pieces: impl Iterator<Item = &'a Piece>) -> String {
        let (mut all, mut one) = (String::new(), String::new());
        for (place, piece) in pieces.enumerate() {
            json::text(self.body.as_bytes(py), piece.span, &mut one);
            all.push_str(if place == 0 { "" } else { "\n" });
            all.push_str(&one);
        }
        all
    }
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
        let turn = |pieces: &[Piece]| Turn {
            role: pieces[0].role,
            text: self.text(py, pieces.iter()),
            spans: pieces.iter().map(|piece| (piece.span.start, piece.span.end)).collect(),
        };
        turns.map(turn).collect()
    }
    #[getter]
    fn system(&self, py: Python<'_>) -> String {
        self.text(py, self.pieces.iter().filter(|piece| piece.role == Role::System))
    }
    #[getter]
    fn user(&self, py: Python<'_>) -> String {
        let last = self.pieces.iter().rev().find(|piece| piece.role == Role::User).map(|piece| piece.turn);
        self.text(py, self.pieces.iter().filter(|piece| piece.role == Role::User && Some(piece.turn) == last))
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
        let asked = |parameter| self.json(py, parameter).is_some_and(|value| value != "false" && value != "0");
        asked(Parameter::Logprobs) || asked(Parameter::TopLogprobs)
    }
    #[getter]
    fn stream(&self, py: Python<'_>) -> bool {
        self.json(py, Parameter::Stream).as_deref() == Some("true")
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
        self.json(py, Parameter::Temperature)?.parse().ok()
    }
    #[getter]
    fn spans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let spans = PyDict::new(py);
        for parameter in Parameter::ALL {
            if let Some(span) = self.parameters[parameter as usize] {
                spans.set_item(parameter.name(), (span.start, span.end))?;
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
    role: Role,
    text: String,
    spans: Vec<(u32, u32)>,
}

#[pymethods]
impl Turn {
    #[getter]
    fn role(&self) -> &'static str {
        role_name(self.role)
    }
    #[getter]
    fn text(&self) -> &str {
        &self.text
    }
    #[getter]
    fn spans(&self) -> Vec<(u32, u32)> {
        self.spans.clone()
    }
    fn __repr__(&self) -> String {
        format!("Turn(role={:?}, pieces={})", role_name(self.role), self.spans.len())
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}
