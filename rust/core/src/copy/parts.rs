//! Rule 14: one position of an account as the virtual positions of its edges. Their sum is the engine's position, always.

/// A share is rounded to 10^-8, and so is what its edge is entitled to: who is off by no more than both asked for nothing.
const ROUNDING: u64 = 2;

/// One edge's part of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// What the edge is entitled to, in 10^-8.
    pub entitled: i64,
    /// What is held for it.
    pub held: i64,
}

impl Part {
    /// How far the edge is from what it is entitled to, counted in the direction of `sign`; zero where it is the other way.
    fn want(&self, sign: i64) -> u64 {
        toward(self.entitled.saturating_sub(self.held), sign)
    }

    /// How much a move in the direction of `sign` can take from it before it is flat.
    fn room(&self, sign: i64) -> u64 {
        toward(self.held, -sign)
    }
}

const fn toward(value: i64, sign: i64) -> u64 {
    if value.signum() == sign { value.unsigned_abs() } else { 0 }
}

/// Shares an execution out: to those who want it pro rata; what is more than that to the same as far as they hold it, then to
/// everybody else who does. What nobody wanted or held is the first one's.
pub fn attribute(parts: &mut [Part], fill: i64) {
    let sign = fill.signum();
    let asked: Vec<bool> = parts.iter().map(|part| part.want(sign) > ROUNDING).collect();
    let rest = share_out(parts, fill, |_, part| part.want(sign));
    let rest = share_out(parts, rest, |at, part| if asked.get(at) == Some(&true) { part.room(sign) } else { 0 });
    let rest = share_out(parts, rest, |_, part| part.room(sign));
    if let Some(first) = parts.first_mut() {
        first.held = first.held.saturating_add(rest);
    }
}

/// Moves held size from edges that want to be rid of it to edges that want it, pro rata on both sides: what netting saves is
/// traded between them. False: nobody has what another wants.
pub fn cross(parts: &mut [Part]) -> bool {
    let total = |sign| parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.want(sign)));
    let both = i64::try_from(total(1).min(total(-1))).unwrap_or(i64::MAX);
    if both == 0 {
        return false;
    }
    share_out(parts, both, |_, part| part.want(1));
    share_out(parts, -both, |_, part| part.want(-1));
    true
}

/// Shares `amount` out pro rata to weights, to nobody more than its weight. Answers what is left.
fn share_out(parts: &mut [Part], amount: i64, weight: impl Fn(usize, &Part) -> u64) -> i64 {
    let total: u128 = parts.iter().enumerate().map(|(at, part)| u128::from(weight(at, part))).sum();
    let given = total.min(amount.unsigned_abs().into());
    let (mut weights, mut shared) = (0u128, 0u128);
    for (at, part) in parts.iter_mut().enumerate() {
        weights = weights.saturating_add(weight(at, part).into());
        // Rounded on the running sum: nothing is lost, and nobody's share passes its weight.
        let upto = given.saturating_mul(weights).checked_div(total).unwrap_or(0);
        let share = i64::try_from(upto.saturating_sub(shared)).unwrap_or(i64::MAX);
        part.held = part.held.saturating_add(if amount < 0 { -share } else { share });
        shared = upto;
    }
    let given = i64::try_from(given).unwrap_or(i64::MAX);
    if amount < 0 { amount.saturating_add(given) } else { amount.saturating_sub(given) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(of: &[(i64, i64)]) -> Vec<Part> {
        of.iter().map(|&(entitled, held)| Part { entitled, held }).collect()
    }

    fn held(parts: &[Part]) -> Vec<i64> {
        parts.iter().map(|part| part.held).collect()
    }

    #[test]
    fn an_execution_goes_pro_rata_to_those_who_want_it() {
        let mut three = parts(&[(30, 0), (10, 0), (5, 5)]);
        attribute(&mut three, 20);
        assert_eq!(held(&three), [15, 5, 5]);
        attribute(&mut three, 21);
        assert_eq!(held(&three), [31, 10, 5], "one more than anybody wanted: the first one's");
    }

    #[test]
    fn rule_14_a_reduction_goes_first_to_the_leader_that_asked() {
        let mut two = parts(&[(0, 50), (50, 50)]);
        attribute(&mut two, -20);
        assert_eq!(held(&two), [30, 50]);
        attribute(&mut two, -40);
        assert_eq!(held(&two), [0, 40], "more was closed than it had: the rest is the other's");
        let mut rounded = parts(&[(49, 50), (50, 50), (0, 30)]);
        attribute(&mut rounded, -41);
        assert_eq!(held(&rounded), [45, 44, 0], "one unit off asks for nothing: what is more is pro rata of both");
        let mut overshot = parts(&[(46, 50), (50, 50)]);
        attribute(&mut overshot, -7);
        assert_eq!(held(&overshot), [43, 50], "a sendable size was more than asked for: the asker's own");
    }

    #[test]
    fn what_nobody_explains_is_in_somebodys_part_all_the_same() {
        let mut flat = parts(&[(0, 0), (0, 0)]);
        attribute(&mut flat, 9);
        assert_eq!(held(&flat), [9, 0]);
    }

    #[test]
    fn opposite_wishes_are_traded_between_the_edges() {
        let mut two = parts(&[(50, 0), (-50, 0)]);
        assert!(cross(&mut two));
        assert_eq!(held(&two), [50, -50], "a net of nothing, and both have what they are entitled to");
        let mut three = parts(&[(40, 0), (0, 10), (0, 20)]);
        assert!(cross(&mut three));
        assert_eq!(held(&three), [30, 0, 0], "ten are still to be bought");
        assert!(!cross(&mut three));
    }

    proptest! {
        #[test]
        fn the_sum_is_the_position_whatever_happens(
            start in proptest::collection::vec((any::<i32>(), any::<i32>()), 1..6),
            moves in proptest::collection::vec((any::<i32>(), any::<i32>(), 0usize..6), 0..12)
        ) {
            let start: Vec<(i64, i64)> = start.into_iter().map(|(e, h)| (e.into(), h.into())).collect();
            let mut parts = parts(&start);
            let mut own: i64 = parts.iter().map(|part| part.held).sum();
            for (fill, entitled, at) in moves {
                let at = at % parts.len();
                parts[at].entitled = entitled.into();
                let wanted: i64 = parts.iter().map(|part| part.entitled - part.held).sum();
                cross(&mut parts);
                prop_assert_eq!(parts.iter().map(|part| part.held).sum::<i64>(), own);
                let same: bool = parts.iter().all(|p| p.want(1) == 0) || parts.iter().all(|p| p.want(-1) == 0);
                prop_assert!(same, "after crossing all want the same way, or nothing");
                // An order never is for more than the net of what all want.
                let fill = i64::from(fill).clamp(wanted.min(0), wanted.max(0));
                attribute(&mut parts, fill);
                own += fill;
                prop_assert_eq!(parts.iter().map(|part| part.held).sum::<i64>(), own);
                if fill == wanted {
                    prop_assert!(parts.iter().all(|part| part.held == part.entitled), "all got what they want");
                }
            }
        }
    }
}
