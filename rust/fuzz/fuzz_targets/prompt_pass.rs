// Invariant: whatever the bytes, deriving facts does not panic, gives what the slow twin gives, and stays within its bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ratelimit_guard_fuzz::prompt_pass(data));
