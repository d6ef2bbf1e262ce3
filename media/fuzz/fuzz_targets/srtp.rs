//! See `mediacore_fuzz::srtp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::srtp::check(data));
