from __future__ import annotations

from hlfast.engine.clock import VenueClock

MS = 1_000_000
WALL = 1_795_000_000_000


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 5_000 * MS
        self.stepped_ms = 0

    def monotonic(self) -> int:
        return self.ns

    def wall(self) -> int:
        return (WALL + self.stepped_ms) * MS + self.ns - 5_000 * MS

    def pass_ms(self, ms: int) -> None:
        self.ns += ms * MS


def make() -> tuple[Hands, VenueClock]:
    hands = Hands()
    return hands, VenueClock(hands.monotonic, hands.wall)


def sample(hands: Hands, clock: VenueClock, venue_ms: int, rtt_ms: int = 20) -> None:
    sent = hands.ns
    hands.pass_ms(rtt_ms)
    clock.observe(sent, hands.ns, venue_ms)


def test_clock_follows_the_wall_clock_before_any_sample() -> None:
    hands, clock = make()
    hands.pass_ms(250)
    assert clock.now_ms() == WALL + 250
    assert clock.skew_ms() == 0


def test_clock_takes_the_first_sample_at_once_at_the_middle_of_its_round_trip() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 5_010)
    assert clock.now_ms() == WALL + 5_020
    assert clock.skew_ms() == 5_000


def test_clock_slews_no_faster_than_one_per_cent() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 10)
    sample(hands, clock, WALL + 1_030)  # 1,000 ms ahead of what the first one said
    before = clock.now_ms()
    for _ in range(50):
        hands.pass_ms(20)
        clock.advance()
    assert clock.now_ms() - before - 1_000 == 10
    for _ in range(50 * 200):
        hands.pass_ms(20)
        clock.advance()
    assert clock.skew_ms() == 1_000, "it arrives, and stays"


def test_clock_is_put_forward_when_two_answers_prove_it_behind() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 10, rtt_ms=11_000)  # the answer was eleven seconds on its way back
    assert clock.skew_ms() == -5_490
    hands.pass_ms(1_000)
    sample(hands, clock, WALL + 12_010)
    assert clock.skew_ms() == -5_490, "one answer may be wrong"
    hands.pass_ms(980)
    sample(hands, clock, WALL + 13_010)
    assert clock.skew_ms() == -10, "half a round trip is left to the slew"


def test_clock_is_not_put_forward_by_one_wrong_answer() -> None:
    hands, clock = make()
    for number in range(20):
        wrong = 20_000 if number == 10 else 0
        sample(hands, clock, WALL + hands.ns // MS - 5_000 + 10 + wrong)
        hands.pass_ms(980)
        assert abs(clock.skew_ms()) <= 10, number


def test_clock_never_runs_back_when_the_venue_is_behind() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 5_010)
    for _ in range(8):
        sample(hands, clock, WALL - 3_000)
    last = clock.now_ms()
    for _ in range(1_000):
        hands.pass_ms(20)
        clock.advance()
        assert clock.now_ms() >= last
        last = clock.now_ms()


def test_clock_trusts_the_freshest_block_of_its_window() -> None:
    hands, clock = make()
    sample(hands, clock, WALL - 60)  # a block 70 ms old
    sample(hands, clock, WALL + 30)  # a fresh one
    sample(hands, clock, WALL - 40)  # old again
    for _ in range(50 * 20):
        hands.pass_ms(20)
        clock.advance()
    assert clock.skew_ms() == 0


def test_clock_refuses_an_absurd_sample() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 10)
    sample(hands, clock, 0)
    assert clock.refused == 1
    hands.pass_ms(60_000)
    clock.advance()
    assert clock.skew_ms() == 0


def test_clock_does_not_mind_a_step_of_the_wall_clock_and_tells_it() -> None:
    hands, clock = make()
    assert not clock.known
    sample(hands, clock, WALL + 10)
    before = clock.now_ms()
    for hands.stepped_ms in (3_600_000, -3_600_000):
        assert clock.now_ms() == before
        assert clock.skew_ms() == -hands.stepped_ms
    assert clock.known


def test_clock_follows_a_venue_that_three_answers_in_a_row_put_ahead() -> None:
    """So it looks to a machine that was suspended for a minute: its monotonic clock stood."""
    hands, clock = make()
    sample(hands, clock, WALL + 10)
    ahead = 60_000
    for number in range(3):
        hands.pass_ms(980)
        assert clock.skew_ms() == 0, number
        sample(hands, clock, WALL + hands.ns // MS - 5_000 + 10 + ahead)
        assert clock.doubted is (number < 2), "the next answer is wanted soon"
    assert clock.skew_ms() == ahead
    assert clock.refused == 2


def test_clock_wants_another_answer_soon_when_one_is_ahead() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 10)
    hands.pass_ms(980)
    sample(hands, clock, WALL + 10 + 21_000)
    assert clock.doubted
    hands.pass_ms(980)
    sample(hands, clock, WALL + 10 + 22_000)
    assert clock.doubted
    assert clock.skew_ms() == 19_990, "two prove it; half a round trip is left to the slew"
    hands.pass_ms(980)
    sample(hands, clock, WALL + 10 + 23_000)
    assert not clock.doubted


def test_clock_believes_no_answers_that_are_far_ahead_and_differ() -> None:
    hands, clock = make()
    sample(hands, clock, WALL + 10)
    for number in range(12):
        hands.pass_ms(980)
        sample(hands, clock, WALL + hands.ns // MS - 5_000 + 10 + 60_000 + 2_000 * number)
        assert clock.skew_ms() == 0


def test_clock_goes_on_while_a_venue_stands_still() -> None:
    """A venue that halts tells the time of its last block for as long as it takes."""
    hands, clock = make()
    sample(hands, clock, WALL + 10)
    for _ in range(40):
        hands.pass_ms(14_980)
        clock.advance()
        sample(hands, clock, WALL + 10)
        assert abs(clock.skew_ms()) < 500
        assert not clock.doubted
    assert clock.refused > 30
