//! Rule 1: what a leader's change does to E.
use super::sizing::scale_down;
use crate::planted::{Bug, planted};
use crate::state::Held;

/// A leader's position going from one size to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// No change.
    None,
    /// Away from zero, or from flat.
    Increase,
    /// Toward zero, not flat.
    Reduce,
    /// To flat.
    Flat,
    /// Through zero.
    Flip,
}

/// What kind of change it is.
#[must_use]
pub const fn classify(before: i64, after: i64) -> Move {
    if before == after {
        Move::None
    } else if after == 0 {
        Move::Flat
    } else if before == 0 || (before > 0) == (after > 0) {
        if before.unsigned_abs() < after.unsigned_abs() { Move::Increase } else { Move::Reduce }
    } else {
        Move::Flip
    }
}

impl Held {
    /// Applies the part of a change that lowers E: the same fraction, or everything on flat and flip. Flat and flip also end
    /// the ratio and whatever came from before copying began.
    pub fn fall(&mut self, before: i64, after: i64) {
        match classify(before, after) {
            Move::None | Move::Increase => {}
            Move::Reduce => self.entitled = scale_down(self.entitled, after, before),
            Move::Flat if planted(Bug::FlatLeavesDust) => self.entitled /= 8,
            Move::Flip if planted(Bug::FlipKeepsOldSide) => {}
            Move::Flat | Move::Flip => *self = self.ended(),
        }
    }

    /// Entitled to nothing any more; what is held is still held.
    #[must_use]
    pub fn ended(self) -> Held {
        Held { position: self.position, ..Held::default() }
    }

    /// Entitled to something, or something is held for it.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.entitled != 0 || self.position != 0
    }

    /// Nothing to remember.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entitled == 0 && self.position == 0 && self.ratio.is_none() && !self.ignoring && !self.adopting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_positions_is_one_move() {
        let cases = [
            (0, 0, Move::None),
            (0, 5, Move::Increase),
            (0, -5, Move::Increase),
            (5, 8, Move::Increase),
            (-5, -8, Move::Increase),
            (8, 5, Move::Reduce),
            (-8, -5, Move::Reduce),
            (5, 0, Move::Flat),
            (-5, 0, Move::Flat),
            (5, -1, Move::Flip),
            (-1, 5, Move::Flip),
        ];
        for (before, after, wanted) in cases {
            assert_eq!(classify(before, after), wanted, "{before} to {after}");
        }
    }

    #[test]
    fn rule_1_a_reduction_keeps_the_fraction_and_flat_ends_everything() {
        let mut held = Held { entitled: 900, ratio: Some(3), ..Held::default() };
        held.fall(30, 10);
        assert_eq!((held.entitled, held.ratio), (300, Some(3)));
        held.fall(10, 20);
        assert_eq!(held.entitled, 300, "an increase never passes here");
        held.fall(20, 0);
        assert!(held.is_empty());
    }
}
