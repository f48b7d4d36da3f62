//! One error, three faults: the operator's configuration, the store, the caller.

use std::fmt;

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A quota, policy or store setting that cannot be enforced; raised when built.
    Config,
    /// The home of the counters cannot be used as it is.
    Store,
    /// The caller passed something that no limiter can count.
    Usage,
}

/// What went wrong and what to do, in one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    fault: Fault,
    text: String,
}

impl Error {
    /// The operator's fault.
    pub fn config(text: impl Into<String>) -> Self {
        Self { fault: Fault::Config, text: text.into() }
    }

    /// The store's fault.
    pub fn store(text: impl Into<String>) -> Self {
        Self { fault: Fault::Store, text: text.into() }
    }

    /// The caller's fault.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { fault: Fault::Usage, text: text.into() }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
