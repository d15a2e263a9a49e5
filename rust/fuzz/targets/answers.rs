//! Any bytes as an answer of `/info` or `/exchange`: no panic.
#![no_main]
use hlfast_core::config::Config;
use hlfast_core::feed::answer::parse_body;
use hlfast_core::feed::{account, figures, money};
use hlfast_core::market::Market;
use hlfast_core::order::text::classify;
use hlfast_core::wire::Address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((kind, body)) = input.split_first() else { return };
    let (mut statuses, mut rows) = (Vec::new(), Vec::new());
    match kind % 13 {
        0 => drop(parse_body(body, &mut statuses)),
        1 => drop(account::parse_state(body)),
        2 => drop(account::parse_order_status(body)),
        3 => drop(account::parse_backfill(body, &mut rows)),
        4 => drop(money::parse_spot(body, |_| None)),
        5 => drop(account::parse_requests_left(body)),
        6 => drop(Market::default().load(body)),
        7 => drop(classify(body, &Address([1; 20]), &Address([2; 20]))),
        8 => drop(money::parse_mode(body)),
        9 => drop(figures::parse_contexts(body)),
        10 => drop(figures::parse_pasts(body)),
        11 => drop(figures::parse_candles(body, 1_795_161_600_000).map(|days| days.usual_move(30, 1_795_161_600_000))),
        _ => drop(Config::from_json(body)),
    }
});
