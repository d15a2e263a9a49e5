//! Any text as a price, a size or a position: what is read is written as the venue writes it, and reads back as itself.
#![no_main]
use hlfast_core::num::{Pos, Px, Sz};
use libfuzzer_sys::fuzz_target;

macro_rules! comes_back {
    ($($kind:ident),*) => {$(
        fn $kind(text: &[u8]) {
            let Ok(number) = $kind::parse(text) else { return };
            let written = number.to_string();
            assert_eq!($kind::parse(written.as_bytes()), Ok(number), "{written}");
            assert!(!written.starts_with("-0") || written.starts_with("-0."), "minus zero: {written}");
            assert!(!written.contains('.') || !written.ends_with('0'), "a zero at the end: {written}");
            let read: f64 = std::str::from_utf8(text).unwrap().parse().unwrap();
            let value: f64 = written.parse().unwrap();
            assert!((read - value).abs() <= read.abs() * 1e-15 + 1e-12, "{read} became {value}");
        }
    )*};
}

#[allow(non_snake_case, reason = "named after what they read")]
mod checks {
    use super::{Pos, Px, Sz};
    comes_back!(Pos, Px, Sz);
    pub fn all(text: &[u8]) {
        Px(text);
        Sz(text);
        Pos(text);
    }
}

fuzz_target!(|text: &[u8]| checks::all(text));
