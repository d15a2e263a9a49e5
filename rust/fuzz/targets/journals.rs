//! Any bytes as a segment or a snapshot, and records of ours with damage anywhere: no panic, and never a record that was not
//! written.
#![no_main]
use hlfast_core::journal::{Kind, NO_LINK, SEGMENT_HEADER_LEN, Scanner, SegmentHeader, Snapshot, record};
use libfuzzer_sys::fuzz_target;

fn journal(payloads: &[&[u8]]) -> Vec<u8> {
    let (mut out, mut before) = (Vec::new(), NO_LINK);
    for (payload, sequence) in payloads.iter().zip(1u64..) {
        let begun = record::begin(&mut out);
        out.extend_from_slice(payload);
        before = record::seal(&mut out, begun, Kind::Step, sequence, 0, &before).expect("short");
    }
    out
}

fuzz_target!(|input: &[u8]| {
    let _ = SegmentHeader::parse(input);
    let _ = Snapshot::parse(input);
    let mut scanner = Scanner::new(input, SEGMENT_HEADER_LEN.min(input.len()), 1);
    while scanner.record().is_some() {}
    let _ = scanner.end().check(u64::MAX);

    let Some((at, rest)) = input.split_first_chunk::<2>() else { return };
    let payloads: Vec<&[u8]> = rest.chunks(7).take(8).collect();
    let whole = journal(&payloads);
    let mut damaged = whole.clone();
    let place = usize::from(u16::from_le_bytes(*at)) % damaged.len().max(1);
    let Some(byte) = damaged.get_mut(place) else { return };
    *byte ^= 0x10;
    let mut scanner = Scanner::new(&damaged, 0, 1).behind(Some(NO_LINK));
    let mut read = 0;
    while let Some(record) = scanner.record() {
        assert_eq!(record.payload, payloads[read], "a record that was not written");
        read += 1;
    }
    assert!(read < payloads.len(), "damage that nobody saw");
});
