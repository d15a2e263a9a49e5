//! Groups frames into writes: a system call costs 3–9 µs, a frame's bytes next to nothing.
use hlfast_core::commands::Attempt;
use hlfast_core::event::LaneId;
use hlfast_core::sign::Signature;
use hlfast_core::wire::{frame, write_body, write_ws_post};

/// A write is closed before it grows beyond this: larger ones delay their first order more than they save calls.
const WRITE_BYTES: usize = 16 << 10;

/// One write: whole masked frames for a WebSocket lane, or one `/exchange` body for an HTTP lane.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// The lane.
    pub lane: LaneId,
    /// For an HTTP lane, the post that the answer is for; else 0.
    pub post_id: u64,
    /// What to write.
    pub bytes: Vec<u8>,
}

/// Writes in the making. Their memory is kept from one event to the next.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    done: Vec<Sending>,
    open: Vec<Sending>,
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    pub fn clear(&mut self) {
        for sending in self.done.drain(..) {
            let mut bytes = sending.bytes;
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    pub fn sendings(&self) -> &[Sending] {
        &self.done
    }

    /// Adds an attempt's frame to its lane's write; `alone` makes that a write of its own.
    pub fn frame(&mut self, attempt: &Attempt, action: &[u8], signature: &Signature, mask: [u8; 4], alone: bool) {
        let at = self.lane(attempt.lane);
        let Some(sending) = self.open.get_mut(at) else { return };
        let out = &mut sending.bytes;
        let start = out.len();
        let open = frame::begin(out);
        let expires_after = Some(attempt.expires_after);
        write_ws_post(attempt.post_id, action, attempt.nonce, signature, attempt.vault.as_ref(), expires_after, out);
        frame::finish(open, mask, out);
        // The next frame is about as long as this one.
        let next = out.len() + out.len().saturating_sub(start);
        if alone || next > WRITE_BYTES {
            self.done.push(self.open.swap_remove(at));
        }
    }

    /// Adds an attempt's HTTP body.
    pub fn body(&mut self, attempt: &Attempt, action: &[u8], signature: &Signature) {
        let mut bytes = self.spare.pop().unwrap_or_default();
        let expires_after = Some(attempt.expires_after);
        write_body(action, attempt.nonce, signature, attempt.vault.as_ref(), expires_after, &mut bytes);
        self.done.push(Sending { lane: attempt.lane, post_id: attempt.post_id, bytes });
    }

    /// Closes every open write.
    pub fn finish(&mut self) {
        self.done.append(&mut self.open);
    }

    fn lane(&mut self, lane: LaneId) -> usize {
        if let Some(at) = self.open.iter().position(|sending| sending.lane == lane) {
            return at;
        }
        let bytes = self.spare.pop().unwrap_or_default();
        self.open.push(Sending { lane, post_id: 0, bytes });
        self.open.len() - 1
    }
}
