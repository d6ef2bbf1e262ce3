//! See `mediacore_fuzz::playout`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::playout::check(data));
