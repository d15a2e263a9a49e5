//! Any bytes as a WebSocket frame: no panic, and nothing outside the frame is ever pointed at.
#![no_main]
use hlfast_core::feed::frame::{Buffers, Frame, parse_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    let mut buffers = Buffers::default();
    let parsed = parse_frame(frame, &mut buffers);
    for row in &buffers.fills {
        assert!(!row.price.is_zero() || parsed.is_err(), "a fill without a price");
        let _ = row.coin.of(frame);
    }
    if let Ok(Frame::Quote(row)) = parsed {
        let _ = row.coin.of(frame);
    }
    // Buffers are reused: what one frame left must not change how the next is read.
    let again = parse_frame(frame, &mut buffers);
    assert_eq!(format!("{parsed:?}"), format!("{again:?}"));
});
