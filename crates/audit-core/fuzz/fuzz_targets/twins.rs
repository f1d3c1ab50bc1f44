//! Any bytes, for what is fast and for what is plain.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| audit_core::document::twins::check(data));
