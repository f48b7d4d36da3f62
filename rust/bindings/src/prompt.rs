//! `PromptReader` and `Prompt`: a body in, facts out.

use crate::arguments::{text, whole, with_text};
use crate::error::OrRaise;
use crate::fields::{Fields, Turn};
use crate::minhash::{DETACH_BYTES, MinHash, with_scratch};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use ratelimit_guard_core::audit::value;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::prompt::dialect::{ANSWERS, BUILT_IN, Dialect};
use ratelimit_guard_core::prompt::facts::{self, Facts};
use ratelimit_guard_core::prompt::fields::{self, Parameter};
use ratelimit_guard_core::prompt::scan::{self, Scanner};
use ratelimit_guard_core::prompt::text::add_text;
use ratelimit_guard_core::prompt::words::Keys;
use ratelimit_guard_core::prompt::{history, json};
use ratelimit_guard_core::sketch::minhash::{self, NUM_PERM};
use std::cell::RefCell;

/// Bytes of a secret: what the keyed hash takes.
const SECRET_BYTES: usize = 16;

thread_local! {
    static FOUND: RefCell<fields::Fields> = RefCell::default();
}

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct PromptReader {
    scanner: Scanner,
    answers: Scanner,
    /// Only the facts that accounts and campaigns are judged by.
    judges: bool,
    keys: Keys,
    /// Stands for the secret in sketches, which say whose hashes they hold.
    seed: u64,
}

#[pyclass(frozen, module = "ratelimit_guard.prompt")]
pub struct Prompt {
    fields: Py<Fields>,
    pub facts: Box<Facts>,
    seed: u64,
}

#[pymethods]
impl PromptReader {
    #[new]
    #[pyo3(signature = (dialects, secret, max_bytes, judges = false))]
    fn new(
        py: Python<'_>,
        dialects: Tables<'_>,
        secret: &Bound<'_, PyBytes>,
        max_bytes: &Bound<'_, PyAny>,
        judges: bool,
    ) -> PyResult<Self> {
        let make = || {
            let most = whole("max_bytes", scan::MAX_BYTES as u64, max_bytes)? as usize;
            let scanner = Scanner::new(&tables(&dialects)?, most)?;
            let paths = ANSWERS.iter().map(|(path, field)| (path.to_string(), field.to_string())).collect();
            let answers = Scanner::new(&[Dialect { name: "answers".into(), paths }], most)?;
            let secret = seed_of(secret.as_bytes())?;
            Ok(Self { scanner, answers, judges, keys: Keys::new(secret), seed: secret.derive(&["sketch"]).0[0] })
        };
        make().or_raise(py)
    }

    fn scan(&self, body: &Bound<'_, PyBytes>) -> Fields {
        FOUND.with_borrow_mut(|found| self.find(body, found))
    }

    fn read(&self, body: &Bound<'_, PyBytes>) -> PyResult<Prompt> {
        let (fields, facts) =
            FOUND.with_borrow_mut(|found| (self.find(body, found), self.derive(body.as_bytes(), found)));
        self.prompt(body.py(), fields, facts)
    }

    fn unreadable(&self, py: Python<'_>, problem: String) -> PyResult<Prompt> {
        self.prompt(py, Fields::none(py, problem), self.derive(b"", &fields::Fields::default()))
    }

    fn minhash(&self, text: &Bound<'_, PyAny>) -> PyResult<MinHash> {
        let mut sketch = minhash::MinHash::new(NUM_PERM);
        with_text("text", text, |bytes| {
            with_scratch(|scratch| add_text(&mut sketch, bytes, &self.keys, scratch));
            Ok(())
        })?;
        Ok(MinHash::with(sketch, self.seed))
    }

    fn answered(&self, body: &Bound<'_, PyBytes>) -> Option<(u64, u32, Option<u32>)> {
        let bytes = body.as_bytes();
        FOUND.with_borrow_mut(|found| {
            self.answers.scan(bytes, found).ok()?;
            let first = with_scratch(|scratch| history::first_answer(bytes, &found.pieces, &self.keys, scratch));
            let tokens = found.parameter(Parameter::MaxTokens).and_then(|span| value::count(text_of(bytes, span)));
            first.map(|answer| (answer.hash, answer.words, tokens))
        })
    }

    fn answer(&self, text: &Bound<'_, PyString>) -> PyResult<(u64, u32)> {
        let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        let bytes = bytes.cast::<PyBytes>()?.as_bytes();
        let answer = with_scratch(|scratch| history::answer(bytes, &self.keys, scratch));
        Ok((answer.hash, answer.words))
    }
}

impl PromptReader {
    fn find(&self, body: &Bound<'_, PyBytes>, found: &mut fields::Fields) -> Fields {
        let bytes = body.as_bytes();
        let mut scan = || self.scanner.scan(bytes, found).err();
        let problem = if bytes.len() < DETACH_BYTES { scan() } else { body.py().detach(scan) };
        Fields::new(body, found, problem)
    }

    fn derive(&self, body: &[u8], found: &fields::Fields) -> Box<Facts> {
        let derive = if self.judges { facts::judged } else { facts::facts };
        with_scratch(|scratch| derive(body, found, &self.keys, scratch))
    }

    /// Makes Python objects, so it runs while no buffer is borrowed: the collector may run anything.
    fn prompt(&self, py: Python<'_>, fields: Fields, facts: Box<Facts>) -> PyResult<Prompt> {
        Ok(Prompt { fields: Py::new(py, fields)?, facts, seed: self.seed })
    }
}

fn text_of(body: &[u8], span: fields::Span) -> &str {
    str::from_utf8(&body[span.range()]).unwrap_or_default()
}

/// The key of all hashes. Any fixed key makes it: the secret itself is what nobody knows.
pub fn seed_of(secret: &[u8]) -> Result<Seed, Error> {
    if secret.len() < SECRET_BYTES {
        return Err(Error::config(format!("secret must have at least {SECRET_BYTES} bytes, got {}", secret.len())));
    }
    Ok(Seed(Seed([0, 0]).digest(secret).0))
}

/// Dialects as Python writes them.
pub type Tables<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyDict>)>;

/// Compile them.
pub fn tables(dialects: &Tables<'_>) -> Result<Vec<Dialect>, Error> {
    dialects.iter().map(|(name, paths)| dialect(name, paths)).collect()
}

fn dialect(name: &Bound<'_, PyAny>, paths: &Bound<'_, PyDict>) -> Result<Dialect, Error> {
    let name = text("dialect name", name)?.to_owned();
    let pair = |(path, field): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        Ok((text("path", &path)?.to_owned(), text("field", &field)?.to_owned()))
    };
    Ok(Dialect { name, paths: paths.iter().map(pair).collect::<Result<_, Error>>()? })
}

#[pymethods]
impl Prompt {
    #[getter]
    fn fields(&self, py: Python<'_>) -> Py<Fields> {
        self.fields.clone_ref(py)
    }
    #[getter]
    fn problem(&self) -> Option<String> {
        self.fields.get().problem.clone()
    }
    #[getter]
    fn words(&self) -> u32 {
        self.facts.words
    }
    #[getter]
    fn left_out(&self) -> u32 {
        self.facts.left_out
    }
    #[getter]
    fn digest(&self) -> u64 {
        self.facts.digest
    }
    #[getter]
    fn system(&self) -> u64 {
        self.facts.system
    }
    #[getter]
    fn template(&self) -> u64 {
        self.facts.template
    }
    #[getter]
    fn conversation(&self) -> u64 {
        self.facts.conversation
    }
    #[getter]
    fn user_turns(&self) -> u32 {
        self.facts.user_turns
    }
    #[getter]
    fn assistant_turns(&self) -> u32 {
        self.facts.assistant_turns
    }
    #[getter]
    fn minhash(&self) -> MinHash {
        MinHash::with(self.facts.sketch.clone(), self.seed)
    }
    #[getter]
    fn keys(&self) -> Vec<u64> {
        self.facts.keys.clone()
    }
    #[getter]
    fn prefixes(&self) -> Vec<u64> {
        self.facts.prefixes.to_vec()
    }
    #[getter]
    fn suffix(&self) -> u64 {
        self.facts.suffix
    }
    #[getter]
    fn segments(&self) -> Vec<(u64, u32)> {
        self.facts.segments.iter().map(|segment| (segment.hash, segment.words)).collect()
    }
    #[getter]
    fn answers(&self) -> Vec<(u64, u64, u32)> {
        self.facts.answers.iter().map(|answer| (answer.hash, answer.link, answer.words)).collect()
    }
    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.facts.features.map(i8::cast_unsigned))
    }
    #[getter]
    fn capability(&self) -> &'static str {
        self.facts.capability.name()
    }
    fn __bool__(&self) -> bool {
        self.facts.words > 0
    }
    fn __repr__(&self) -> String {
        format!(
            "Prompt(words={}, problem={})",
            self.facts.words,
            self.fields.get().problem.as_deref().unwrap_or("None")
        )
    }
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "prompt")?;
    module.add_class::<PromptReader>()?;
    module.add_class::<Prompt>()?;
    module.add_class::<Fields>()?;
    module.add_class::<Turn>()?;
    let dialects = PyDict::new(py);
    for (name, paths) in BUILT_IN {
        let table = PyDict::new(py);
        paths.iter().try_for_each(|(path, field)| table.set_item(path, field))?;
        dialects.set_item(name, table)?;
    }
    module.add("DIALECTS", dialects)?;
    module.add("PARAMETERS", PyTuple::new(py, Parameter::ALL.map(Parameter::name))?)?;
    module.add("MAX_TEXT", facts::MAX_TEXT)?;
    module.add("MAX_WORDS", facts::MAX_WORDS)?;
    module.add("MAX_PIECES", scan::MAX_PIECES)?;
    module.add("MAX_DEPTH", json::MAX_DEPTH)?;
    Ok(module)
}
