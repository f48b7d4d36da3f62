//! What a scan finds in a body: whose words stand where, and the parameters that decide what an answer costs.

use super::scan::Scratch;
use std::ops::Range;

/// Where a JSON value stands in the body, in bytes; a string with its quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// As a range of the body.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The instructions of the application: system, developer.
    System,
    /// Who asks. Roles that no dialect knows count as this one, so that a made-up role hides nothing.
    User,
    /// The model.
    Assistant,
    /// What a tool or function returned.
    Tool,
}

/// One string of the prompt, or a run of token numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The JSON value: a string with its quotes, or the first to the last of a run of numbers.
    pub span: Span,
    /// Who says it.
    pub role: Role,
    /// Pieces of one message have the same number; numbers rise through the body, and may skip some.
    pub turn: u32,
    /// The string holds backslashes.
    pub escaped: bool,
}

/// A parameter of the request, by the name that OpenAI gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Parameter {
    /// Name of the model.
    Model,
    /// The most tokens of an answer, under any of its names.
    MaxTokens,
    /// Number of answers.
    N,
    /// Probabilities asked for: a boolean or a number.
    Logprobs,
    /// How many alternatives of each token.
    TopLogprobs,
    /// The answer comes in chunks.
    Stream,
    /// What the caller says about its own end user.
    User,
    /// Array of tools.
    Tools,
    /// Sampling temperature.
    Temperature,
    /// Nucleus sampling.
    TopP,
}

impl Role {
    /// The name in tables of dialects and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// Who a message's role names. Cost: no allocation.
    pub fn named(name: &[u8]) -> Self {
        match name {
            b"system" | b"developer" => Self::System,
            b"assistant" | b"model" | b"ai" | b"bot" => Self::Assistant,
            b"tool" | b"function" | b"ipython" => Self::Tool,
            _ => Self::User,
        }
    }
}

impl Parameter {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Model,
        Self::MaxTokens,
        Self::N,
        Self::Logprobs,
        Self::TopLogprobs,
        Self::Stream,
        Self::User,
        Self::Tools,
        Self::Temperature,
        Self::TopP,
    ];

    /// The name in tables of dialects and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::MaxTokens => "max_tokens",
            Self::N => "n",
            Self::Logprobs => "logprobs",
            Self::TopLogprobs => "top_logprobs",
            Self::Stream => "stream",
            Self::User => "user_id",
            Self::Tools => "tools",
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
        }
    }
}

/// Why a body cannot be read. Never an error of the program: it is the caller's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Longer than the cap.
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`](super::json::MAX_DEPTH).
    TooDeep,
    /// More pieces of text, or more parameters, than [`MAX_PIECES`](super::scan::MAX_PIECES).
    TooMany,
    /// Ends too early, or is no JSON.
    NotJson,
    /// Bytes that are no UTF-8.
    NotUtf8,
}

impl Problem {
    /// The name in events and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::TooDeep => "too-deep",
            Self::TooMany => "too-many",
            Self::NotJson => "not-json",
            Self::NotUtf8 => "not-utf-8",
        }
    }
}

/// Everything that a scan finds. Reused from body to body, so that a scan allocates nothing once it is warm.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Strings and token runs of the prompt, in the order of the body.
    pub pieces: Vec<Piece>,
    /// Where each [`Parameter`] stands last; `None` when absent or `null`.
    pub parameters: [Option<Span>; Parameter::ALL.len()],
    /// Every place where a parameter stands, under any of its names and `null` too, in the order of the body: which of
    /// them an application heeds is its own affair.
    pub places: Vec<(Parameter, Span)>,
    /// Elements of the array of tools.
    pub tools: u32,
    pub(super) scratch: Scratch,
}

impl Fields {
    /// Where a parameter stands.
    pub fn parameter(&self, parameter: Parameter) -> Option<Span> {
        self.parameters[parameter as usize]
    }

    /// Forget everything but the room.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.parameters = Default::default();
        self.places.clear();
        self.tools = 0;
    }
}
