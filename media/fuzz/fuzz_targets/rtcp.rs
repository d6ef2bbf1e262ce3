//! See `mediacore_fuzz::rtcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::rtcp::check(data));
