//! Reads a journal beside its writer: no lock, nothing written, whole records only.
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hlfast_core::journal::{FormatError, Record, SEGMENT_HEADER_LEN, json, record};

use super::directory::{Segment, segments};
use super::flusher::locked;
use super::recover::refuse_missing;
use super::{JournalError, format, io};

/// Bytes read at once; a longer record is read whole.
const WINDOW: usize = 256 << 10;
/// Journals whose reading place is remembered.
const PLACES: usize = 16;

/// Where the record after `sequence` begins, so that a reader that follows the journal needn't hop from the segment's start.
struct Place {
    directory: PathBuf,
    sequence: u64,
    path: PathBuf,
    offset: u64,
}

static LAST_PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// Gives the records with a sequence above `after` to `take`, in order, until it answers false or the journal's present end
/// is reached. Any thread; a record that is being written is left for the next call.
///
/// # Errors
/// [`JournalError`] for a directory or file that can't be read, and for damage in the middle.
pub fn read_after(
    directory: &Path,
    after: u64,
    take: &mut dyn FnMut(&Record<'_>) -> Result<bool, JournalError>,
) -> Result<(), JournalError> {
    let all = segments(directory)?;
    let begun: Vec<&Segment> = all.iter().filter(|segment| segment.header.is_some()).collect();
    refuse_missing(begun.iter().copied(), after)?;
    let first = begun.partition_point(|segment| first_of(segment) <= after + 1).saturating_sub(1);
    let mut after = after;
    for (at, segment) in begun.iter().enumerate().skip(first) {
        let mut walk = Walk::open(directory, segment, after)?;
        let more = walk.run(&mut after, take)?;
        walk.remember(directory, after);
        if !more {
            return Ok(());
        }
        if begun.get(at + 1).is_some_and(|next| first_of(next) > walk.next) {
            let what = "records are missing before the next segment";
            let source = FormatError::Corrupt { offset: walk.offset, sequence: walk.next, what };
            return Err(format(&segment.path)(source));
        }
    }
    Ok(())
}

/// JSON objects of the records with a sequence above `after`: about `limit` of them, never part of a record. Any thread.
///
/// # Errors
/// [`JournalError`].
pub fn read_objects(directory: &Path, after: u64, limit: usize) -> Result<Vec<Vec<u8>>, JournalError> {
    let mut objects = Vec::new();
    read_after(directory, after, &mut |record| {
        let sequence = record.sequence;
        let damaged = |what| format(directory)(FormatError::Payload { sequence, what });
        objects.extend(json::objects(record).map_err(damaged)?);
        Ok(objects.len() < limit)
    })?;
    Ok(objects)
}

fn first_of(segment: &Segment) -> u64 {
    segment.header.map_or(u64::MAX, |header| header.first)
}

struct Walk {
    file: File,
    path: PathBuf,
    offset: u64,
    next: u64,
    window: Vec<u8>,
}

impl Walk {
    fn open(directory: &Path, segment: &Segment, after: u64) -> Result<Walk, JournalError> {
        let file = File::open(&segment.path).map_err(io("open", &segment.path))?;
        let mut walk = Walk {
            file,
            path: segment.path.clone(),
            offset: SEGMENT_HEADER_LEN as u64,
            next: first_of(segment),
            window: Vec::new(),
        };
        let places = locked(&LAST_PLACES);
        let known = places.iter().find(|place| place.directory == directory && place.path == segment.path);
        if let Some(place) = known.filter(|place| place.sequence <= after && place.sequence + 1 >= walk.next) {
            walk.offset = place.offset;
            walk.next = place.sequence + 1;
        }
        Ok(walk)
    }

    fn remember(&self, directory: &Path, sequence: u64) {
        if sequence + 1 != self.next {
            return;
        }
        let mut places = locked(&LAST_PLACES);
        places.retain(|place| place.directory != directory);
        if places.len() >= PLACES {
            places.remove(0);
        }
        places.push(Place { directory: directory.to_owned(), sequence, path: self.path.clone(), offset: self.offset });
    }

    /// Reads on; answers false when `take` wants no more. `after` ends as the sequence taken last.
    fn run(
        &mut self,
        after: &mut u64,
        take: &mut dyn FnMut(&Record<'_>) -> Result<bool, JournalError>,
    ) -> Result<bool, JournalError> {
        loop {
            self.fill(WINDOW)?;
            if let Some((_, length)) = record::peek(&self.window)
                && length > self.window.len()
            {
                self.fill(length)?;
            }
            let mut used = 0;
            while let Some(rest) = self.window.get(used..)
                && let Some((sequence, length)) = record::peek(rest)
                && sequence == self.next
                && length <= rest.len()
            {
                let wanted = sequence > *after;
                let record = if wanted { record::parse(rest).ok() } else { None };
                if wanted && record.is_none() {
                    return Ok(true);
                }
                used += length;
                self.offset += length as u64;
                self.next += 1;
                if let Some((record, _)) = record {
                    *after = sequence;
                    if !take(&record)? {
                        return Ok(false);
                    }
                }
            }
            if used == 0 {
                return Ok(true);
            }
        }
    }

    /// Reads `length` bytes from the present offset, fewer at the file's end.
    fn fill(&mut self, length: usize) -> Result<usize, JournalError> {
        self.window.resize(length, 0);
        let mut have = 0;
        while let Some(rest) = self.window.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, self.offset + have as u64).map_err(io("read", &self.path))? {
                0 => break,
                read => have += read,
            }
        }
        self.window.truncate(have);
        Ok(have)
    }
}
