// Invariant: whatever the bytes, a scan does not panic, finds what its slow twin finds, and each span is a JSON value.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ratelimit_guard_fuzz::scan_body(data));
