//! The target `headers` for cargo-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    rolecast_tests::fuzz::check("headers", input);
});
