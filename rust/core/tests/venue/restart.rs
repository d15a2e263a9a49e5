//! The first process, and a new one on the same state.
use hlfast_core::event::SourceKind;

use super::{OwnedEvent, World};

impl World {
    pub fn boot(&mut self, leaders: usize) {
        self.meta();
        self.step(OwnedEvent::Up(1, SourceKind::Lane));
        self.step(OwnedEvent::Up(2, SourceKind::User));
        self.step(OwnedEvent::Up(3, SourceKind::Tape));
        for leader in 0..leaders {
            self.snapshot(leader, &[]);
        }
        self.step(OwnedEvent::Start);
        self.settle();
    }

    /// The process ends with whatever is on its way, and a new one begins.
    pub fn restart(&mut self) {
        self.queue.clear();
        self.pending_info.clear();
        self.step(OwnedEvent::Reopen);
        self.step(OwnedEvent::Up(1, SourceKind::Lane));
        self.step(OwnedEvent::Up(2, SourceKind::User));
        self.step(OwnedEvent::Up(3, SourceKind::Tape));
        self.step(OwnedEvent::Start);
        self.settle();
    }
}
