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
        self.restart_on(&[(1, SourceKind::Lane), (2, SourceKind::User), (3, SourceKind::Tape)]);
        self.settle();
    }

    /// The same with these connections, and without an answer to anything yet.
    pub fn restart_on(&mut self, sources: &[(u32, SourceKind)]) {
        self.queue.clear();
        self.pending_info.clear();
        self.step(OwnedEvent::Reopen);
        for (source, kind) in sources {
            self.step(OwnedEvent::Up(*source, *kind));
        }
        self.step(OwnedEvent::Start);
    }
}
