//! See `mediacore_fuzz::g729`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::g729::check(data));
