//! See `mediacore_fuzz::reorder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::reorder::check(data));
