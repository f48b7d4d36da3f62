// Invariant: whatever the bytes, a text has the sketch and the answer that the slow twin gives it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ratelimit_guard_fuzz::shingle(data));
