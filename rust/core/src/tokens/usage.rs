//! What an upstream says that a call used.

use super::MAX_TOKENS;
use super::value::Value;

/// Input and output tokens as they were said last. A number that cannot be one leaves the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    input: Option<u32>,
    /// Anthropic counts what its cache took, and what came from it, beside the input: all were prompt tokens.
    cached: [Option<u32>; 2],
    output: Option<u32>,
    /// Gemini counts thoughts beside the output.
    thoughts: Option<u32>,
}

impl Usage {
    /// Prompt tokens.
    pub fn input(self) -> Option<u32> {
        sum([self.input?, self.cached[0].unwrap_or(0), self.cached[1].unwrap_or(0)])
    }

    /// Tokens of the answer, reasoning included.
    pub fn output(self) -> Option<u32> {
        self.output.or(self.thoughts)?;
        sum([self.output.unwrap_or(0), self.thoughts.unwrap_or(0), 0])
    }

    /// Read the usage of OpenAI or Anthropic.
    pub(super) fn read(&mut self, usage: Value<'_>) {
        let [prompt, input, created, read, completion, output] = usage.members([
            "prompt_tokens",
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "completion_tokens",
            "output_tokens",
        ]);
        keep(&mut self.input, [prompt, input]);
        keep(&mut self.cached[0], [created, None]);
        keep(&mut self.cached[1], [read, None]);
        keep(&mut self.output, [completion, output]);
    }

    /// Read that of Anthropic's `message_start`, whose output counts what has not begun.
    pub(super) fn read_start(&mut self, usage: Value<'_>) {
        let before = self.output;
        self.read(usage);
        self.output = before;
    }

    /// Read that of Gemini.
    pub(super) fn read_metadata(&mut self, metadata: Value<'_>) {
        let [prompt, candidates, thoughts] =
            metadata.members(["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"]);
        keep(&mut self.input, [prompt, None]);
        keep(&mut self.output, [candidates, None]);
        keep(&mut self.thoughts, [thoughts, None]);
    }

    /// Read the last usage that stands in the end of a document of which the start is gone.
    pub(super) fn read_end(&mut self, end: &[u8]) {
        let behind = |name: &str| {
            let at = memchr::memmem::rfind(end, name.as_bytes())? + name.len();
            Value::behind_colon(&end[at..])
        };
        if let Some(usage) = behind("\"usage\"") {
            self.read(usage);
        }
        if let Some(metadata) = behind("\"usageMetadata\"") {
            self.read_metadata(metadata);
        }
    }
}

/// The first count of two names, if any.
fn keep(last: &mut Option<u32>, said: [Option<Value<'_>>; 2]) {
    if let Some(count) = said.into_iter().flatten().find_map(Value::count) {
        *last = Some(count);
    }
}

fn sum(counts: [u32; 3]) -> Option<u32> {
    let sum: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    u32::try_from(sum).ok().filter(|sum| *sum < MAX_TOKENS)
}
