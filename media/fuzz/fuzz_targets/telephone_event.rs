//! See `mediacore_fuzz::telephone_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mediacore_fuzz::telephone_event::check(data));
