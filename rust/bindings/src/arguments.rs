//! Arguments: keys and costs as fast as Python hands them over; settings, which may be anything, with an error that
//! says what.

use crate::error::exception;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};
use ratelimit_guard_core::error::Error;

/// Call `with` with the bytes of a text: those of a `bytes`, or UTF-8 of a `str` (lone surrogates as WTF-8).
#[inline]
pub fn with_text<T>(what: &str, key: &Bound<'_, PyAny>, with: impl FnOnce(&[u8]) -> Result<T, Error>) -> PyResult<T> {
    let raise = |error| exception(key.py(), &error);
    if let Ok(text) = key.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => with(text.as_bytes()).map_err(raise),
            Err(_) => {
                let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
                with(bytes.cast::<PyBytes>()?.as_bytes()).map_err(raise)
            }
        };
    }
    match key.cast::<PyBytes>() {
        Ok(bytes) => with(bytes.as_bytes()).map_err(raise),
        Err(_) => Err(raise(Error::usage(format!("{what} must be str or bytes, got {}", type_name(key))))),
    }
}

/// [`with_text`] for a key.
#[inline]
pub fn with_key<T>(key: &Bound<'_, PyAny>, with: impl FnOnce(&[u8]) -> Result<T, Error>) -> PyResult<T> {
    with_text("key", key, with)
}

/// Units to take. Anything beyond 64 bits is more than every limit.
#[derive(Clone, Copy)]
pub struct Cost(pub u64);

/// Tokens to reserve or to spend, likewise.
#[derive(Clone, Copy)]
pub struct Tokens(pub u64);

impl<'py> FromPyObject<'_, 'py> for Cost {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        units("cost", &value).map(Self)
    }
}

impl<'py> FromPyObject<'_, 'py> for Tokens {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        units("number of tokens", &value).map(Self)
    }
}

#[inline]
fn units(what: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    value.extract::<u64>().or_else(|trouble| {
        if trouble.is_instance_of::<PyOverflowError>(value.py()) && value.gt(0)? {
            return Ok(u64::MAX);
        }
        let given = instead(value, &trouble);
        Err(exception(value.py(), &Error::usage(format!("{what} must be a whole number from 0, got {given}"))))
    })
}

/// How many, of a setting that starts at 1. `ConfigError` for what is no whole number or does not fit 64 bits; the core
/// checks the rest.
pub fn whole(what: &str, most: u64, value: &Bound<'_, PyAny>) -> Result<u64, Error> {
    value.extract().map_err(|trouble| {
        let given = instead(value, &trouble);
        Error::config(format!("{what} must be a whole number from 1 to {most}, got {given}"))
    })
}

/// A name or text of a setting. `ConfigError` for anything that is no `str` or that UTF-8 cannot hold.
pub fn text<'a>(what: &str, value: &'a Bound<'_, PyAny>) -> Result<&'a str, Error> {
    let Ok(text) = value.cast::<PyString>() else {
        return Err(Error::config(format!("{what} must be str, got {}", type_name(value))));
    };
    text.to_str().map_err(|_| {
        let lossy = text.to_string_lossy();
        Error::config(format!("{what} {lossy:.100?} has a lone surrogate, which is no character: leave it out"))
    })
}

/// A real number, infinite when a float cannot hold it. Otherwise the type of what was given instead.
pub fn number(value: &Bound<'_, PyAny>) -> Result<f64, String> {
    value.extract().or_else(|trouble: PyErr| {
        let too_large = trouble.is_instance_of::<PyOverflowError>(value.py());
        if too_large { Ok(f64::INFINITY) } else { Err(type_name(value)) }
    })
}

/// A whole number that fits 64 bits; otherwise what was given instead: the number, or else its type.
pub fn word(value: &Bound<'_, PyAny>) -> Result<u64, String> {
    value.extract().map_err(
        |trouble| {
            if value.is_instance_of::<PyInt>() { digits(value) } else { instead(value, &trouble) }
        },
    )
}

/// Call `with` with the bytes of a value of a sketch: a text, or the eight bytes (lowest first) of a whole number such
/// as a hash.
pub fn with_value<T>(value: &Bound<'_, PyAny>, with: impl FnOnce(&[u8]) -> Result<T, Error>) -> PyResult<T> {
    if !value.is_instance_of::<PyInt>() {
        return with_text("value", value, with);
    }
    let wrong = |given| Error::usage(format!("value must be str, bytes or a number from 0 to 2**64 - 1, got {given}"));
    let number = word(value).map_err(|given| exception(value.py(), &wrong(given)))?;
    with(&number.to_le_bytes()).map_err(|error| exception(value.py(), &error))
}

/// A seed: `ConfigError` for what is no whole number of 64 bits.
pub fn seed(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let wrong = |given| Error::config(format!("seed must be a whole number from 0 to 2**64 - 1, got {given}"));
    word(value).map_err(|given| exception(value.py(), &wrong(given)))
}

/// Call `with` for each of many texts. `UsageError` for a single one, which would count by the letter.
pub fn each(values: &Bound<'_, PyAny>, with: impl FnMut(Bound<'_, PyAny>) -> PyResult<()>) -> PyResult<()> {
    if values.is_instance_of::<PyString>() || values.is_instance_of::<PyBytes>() {
        let text = "values must be an iterable of values, got a single text: use update";
        return Err(exception(values.py(), &Error::usage(text)));
    }
    let mut with = with;
    values.try_iter()?.try_for_each(|value| with(value?))
}

/// What was given instead of a whole number that fits: the number, or else its type.
fn instead(value: &Bound<'_, PyAny>, trouble: &PyErr) -> String {
    if trouble.is_instance_of::<PyOverflowError>(value.py()) { digits(value) } else { type_name(value) }
}

/// Python refuses to write numbers of thousands of digits, and nobody wants to read them.
fn digits(number: &Bound<'_, PyAny>) -> String {
    let digits = number.str().map(|digits| digits.to_string()).ok().filter(|digits| digits.len() <= 40);
    digits.unwrap_or_else(|| "one of more than 40 digits".into())
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "something else".into(), |name| name.to_string())
}
