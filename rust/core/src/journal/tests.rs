use super::record::{begin, padded, parse, seal};
use super::*;
use proptest::prelude::*;

/// Records 1..=`count` of varied length; every group of `group` records was synced before the next was made.
fn records(count: u64, group: u64) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    let mut link = NO_LINK;
    for sequence in 1..=count {
        starts.push(bytes.len());
        let begun = begin(&mut bytes);
        bytes.extend((0..sequence % 53).map(|n| (n * 7 + sequence).to_le_bytes()[0]));
        link = seal(&mut bytes, begun, Kind::Step, sequence, (sequence - 1) / group * group, &link).unwrap();
    }
    (bytes, starts)
}

fn read(bytes: &[u8]) -> (u64, ScanEnd) {
    let mut scanner = Scanner::new(bytes, 0, 1);
    let mut count = 0;
    while scanner.record().is_some() {
        count += 1;
    }
    (count, scanner.end())
}

#[test]
fn records_come_back_as_written() {
    let (bytes, starts) = records(100, 1);
    let mut scanner = Scanner::new(&bytes, 0, 1);
    for (sequence, start) in (1..=100).zip(&starts) {
        assert_eq!(scanner.offset(), *start);
        let record = scanner.record().unwrap();
        assert_eq!((record.sequence, record.synced, record.kind), (sequence, sequence - 1, Kind::Step));
        assert_eq!(record.payload.len() as u64, sequence % 53);
    }
    assert_eq!(scanner.record(), None);
    let end = scanner.end();
    assert_eq!((end.offset, end.next, end.torn), (bytes.len(), 101, None));
    assert_eq!(end.check(0), Ok(()));
}

#[test]
fn zeros_written_ahead_are_a_clean_end() {
    let (mut bytes, _) = records(3, 1);
    bytes.resize(bytes.len() + 100_000, 0);
    assert_eq!(read(&bytes).0, 3);
    assert_eq!(read(&bytes).1.torn, None);
}

#[test]
fn cut_at_every_byte_keeps_the_whole_records_before_it() {
    let (bytes, starts) = records(10_000, 1);
    let mut whole = 0;
    for cut in 0..bytes.len() {
        if whole < starts.len() && starts.get(whole + 1).copied().unwrap_or(bytes.len()) <= cut {
            whole += 1;
        }
        // The records before the one that is cut are the same bytes for every cut: reading the last two is enough.
        let from = whole.saturating_sub(1);
        let mut scanner = Scanner::new(&bytes[..cut], starts[from], from as u64 + 1);
        while scanner.record().is_some() {}
        let end = scanner.end();
        assert_eq!(end.next, whole as u64 + 1, "cut at {cut}");
        assert_eq!(end.check(0), Ok(()), "cut at {cut}");
    }
}

#[test]
fn a_flip_of_any_bit_of_ten_thousand_records_is_seen() {
    let (mut bytes, starts) = records(10_000, 1);
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(bytes.len());
        for byte in *start..end {
            // All eight bits of each byte in turn would take minutes unoptimised; the bit walks with the byte.
            let bit = 1 << (byte % 8);
            bytes[byte] ^= bit;
            let seen = parse(&bytes[*start..]).is_err();
            bytes[byte] ^= bit;
            assert!(seen, "record {} byte {byte}", at + 1);
        }
    }
}

#[test]
fn a_flip_in_the_synced_part_is_refused_by_offset() {
    let (mut bytes, starts) = records(60, 1);
    let last = starts[59];
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            bytes[byte] ^= 1 << bit;
            let (count, end) = read(&bytes);
            bytes[byte] ^= 1 << bit;
            let hit = starts.partition_point(|start| *start <= byte);
            assert_eq!(count, hit as u64 - 1, "byte {byte} bit {bit}");
            match end.check(0) {
                Err(FormatError::Corrupt { offset, sequence, .. }) => {
                    assert!(byte < last);
                    assert_eq!((offset, sequence), (starts[hit - 1] as u64, hit as u64));
                }
                // The last record was never known to be on stable storage: it may be torn.
                other => assert_eq!((other, byte >= last), (Ok(()), true), "byte {byte} bit {bit}"),
            }
        }
    }
}

#[test]
fn a_hole_in_the_unsynced_part_is_a_torn_tail() {
    let (mut bytes, starts) = records(40, 10);
    // Record 33 of the last, unsynced group of ten (31..=40) never reached the disk; its neighbours did.
    bytes[starts[32]..starts[33]].fill(0);
    let (count, end) = read(&bytes);
    assert_eq!(count, 32);
    assert_eq!(end.check(0), Ok(()));
    // The same hole in the group before it had been on stable storage.
    bytes[starts[22]..starts[23]].fill(0);
    let (count, end) = read(&bytes);
    assert_eq!(count, 22);
    assert!(matches!(end.check(0), Err(FormatError::Corrupt { sequence: 23, .. })));
}

#[test]
fn a_later_segment_that_claims_the_lost_record_refuses_it() {
    let (bytes, _) = records(5, 1);
    let (_, end) = read(&bytes);
    assert_eq!(end.check(5), Ok(()));
    assert!(matches!(end.check(6), Err(FormatError::Corrupt { sequence: 6, what: "zeros where a record was", .. })));
}

#[test]
fn an_oversize_payload_is_refused_and_leaves_the_buffer_as_it_was() {
    let mut out = b"before".to_vec();
    let begun = begin(&mut out);
    out.resize(out.len() + MAX_PAYLOAD + 1, 1);
    assert_eq!(
        seal(&mut out, begun, Kind::Step, 1, 0, &NO_LINK),
        Err(FormatError::TooLong { length: MAX_PAYLOAD + 1 })
    );
    assert_eq!(out, b"before");
    assert_eq!(padded(0), HEADER_LEN + LINK_LEN);
    assert_eq!(padded(1), HEADER_LEN + LINK_LEN + 8);
}

#[test]
fn a_segment_header_comes_back_and_each_flip_in_it_is_seen() {
    let header = SegmentHeader::new(77, 70);
    let mut bytes = header.encode();
    assert_eq!(SegmentHeader::parse(&bytes), Ok(Some(header)));
    assert_eq!(SegmentHeader::parse(&[0; SEGMENT_HEADER_LEN]), Ok(None));
    assert_eq!(SegmentHeader::parse(&[]), Ok(None));
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            bytes[byte] ^= 1 << bit;
            assert!(SegmentHeader::parse(&bytes).is_err(), "byte {byte} bit {bit}");
            bytes[byte] ^= 1 << bit;
        }
    }
}

#[test]
fn a_newer_format_is_refused_by_its_version() {
    let mut bytes = SegmentHeader::new(1, 0).encode();
    bytes[8..10].copy_from_slice(&(VERSION + 1).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    let error = SegmentHeader::parse(&bytes).unwrap_err();
    assert_eq!(error, FormatError::Version { found: VERSION + 1 });
    assert!(error.to_string().contains("use the release that wrote it"));
}

/// The record at `at` with other content and its checksum made right again, as a forger would leave it.
fn forge(bytes: &mut [u8], at: usize, end: usize) {
    bytes[at + HEADER_LEN + LINK_LEN] ^= 1;
    let crc = crc32c::crc32c(&bytes[at + 4..end]);
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_forged_record_breaks_the_chain_even_at_the_unsynced_end() {
    let (whole, starts) = records(20, 1);
    for number in [0, 7, 19] {
        let mut bytes = whole.clone();
        forge(&mut bytes, starts[number], starts.get(number + 1).copied().unwrap_or(whole.len()));
        let (count, end) = read(&bytes);
        assert_eq!((count, end.untied), (number as u64, true));
        let error = end.check(0).unwrap_err().to_string();
        assert!(error.contains("its link does not follow"), "{error}");
    }
}

#[test]
fn a_record_left_out_and_renumbered_breaks_the_chain() {
    let (mut bytes, starts) = records(3, 10);
    let third = bytes.split_off(starts[2]);
    bytes.truncate(starts[1]);
    let mut third = third;
    third[8] = 2;
    let crc = crc32c::crc32c(&third[4..]);
    third[..4].copy_from_slice(&crc.to_le_bytes());
    bytes.extend(third);
    let (count, end) = read(&bytes);
    assert_eq!((count, end.untied), (1, true));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (count, end) = read(&bytes);
        prop_assert!(count <= 10 && end.offset <= bytes.len());
        let _ = SegmentHeader::parse(&bytes);
    }
}
