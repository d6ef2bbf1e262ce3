//! See `mediacore_fuzz::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::codec::check(data));
