//! When each open connection was heard last, for the age of feeds.
use hlfast_core::event::{Event, SourceId, SourceKind};
use hlfast_core::metrics::Metrics;

#[derive(Debug, Clone, Copy)]
struct Open {
    source: SourceId,
    kind: SourceKind,
    heard_ns: u64,
}

/// The open connections. There are about ten, so a search is cheaper than a map.
#[derive(Debug, Default)]
pub(super) struct Feeds(Vec<Open>);

impl Feeds {
    pub fn heard(&mut self, event: &Event<'_>, now_ns: u64) {
        match *event {
            Event::Frame { source, .. } => {
                if let Some(open) = self.0.iter_mut().find(|open| open.source == source) {
                    open.heard_ns = now_ns;
                }
            }
            Event::SourceUp { source, kind } => {
                self.0.retain(|open| open.source != source);
                self.0.push(Open { source, kind, heard_ns: now_ns });
            }
            Event::SourceDown { source } => self.0.retain(|open| open.source != source),
            _ => {}
        }
    }

    pub fn publish(&self, metrics: &Metrics) {
        for (cell, kind) in metrics.feed_heard_ns.iter().zip([SourceKind::User, SourceKind::Tape, SourceKind::Lane]) {
            let heard = self.0.iter().filter(|open| open.kind == kind).map(|open| open.heard_ns);
            cell.set(heard.min().unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_silent_connection_of_a_kind_counts_and_a_closed_one_does_not() {
        let (mut feeds, metrics) = (Feeds::default(), Metrics::default());
        let heard = |feeds: &Feeds| {
            feeds.publish(&metrics);
            [0, 1, 2].map(|at: usize| metrics.feed_heard_ns[at].get())
        };
        feeds.heard(&Event::SourceUp { source: 1, kind: SourceKind::User }, 10);
        feeds.heard(&Event::SourceUp { source: 2, kind: SourceKind::User }, 20);
        assert_eq!(heard(&feeds), [10, 0, 0]);
        feeds.heard(&Event::Frame { source: 1, bytes: b"" }, 30);
        assert_eq!(heard(&feeds), [20, 0, 0]);
        feeds.heard(&Event::SourceDown { source: 2 }, 40);
        assert_eq!(heard(&feeds), [30, 0, 0]);
    }
}
