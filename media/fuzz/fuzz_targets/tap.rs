//! See `mediacore_fuzz::tap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::tap::check(data));
