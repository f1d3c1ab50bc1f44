//! A JSON pointer into any bytes.
#![no_main]

#[path = "../../tests/support/properties.rs"]
#[allow(dead_code, reason = "each target uses its part of it")]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::check_pointer(data));
