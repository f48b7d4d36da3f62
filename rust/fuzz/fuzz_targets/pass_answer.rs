// Invariant: whatever the bytes, reading an answer and taking its usage out does not panic and does not depend on cuts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ratelimit_guard_fuzz::pass_answer(data));
