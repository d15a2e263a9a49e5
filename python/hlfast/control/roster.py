"""Who is meant by the places in a journal: places are kept for ever, as the core keeps them.

Settings may change while the engine runs. Leaders and followers are known by their addresses: who stays keeps the
place, who is left out keeps it too, who is new comes behind.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Roster(msgspec.Struct):
    """Names by place, and the follows in force.

    Attributes:
        leaders: name and address, by place.
        followers: name and account, by place.
        follows: names of leader and follower in force.
        changed: names of leaders whose follows were not the same all the time.
    """

    leaders: list[tuple[str, str]] = []
    followers: list[tuple[str, str]] = []
    follows: list[tuple[str, str]] = []
    changed: list[str] = []

    def take(self, settings: dict[str, Any]) -> None:
        """Put settings in force: the first ones, or those of a request that the core has carried out."""
        is_first = not self.leaders
        leaders = [(str(one["name"]), str(one["address"]).lower()) for one in settings["leaders"]]
        followers = [(str(one["name"]), str(one["account"]).lower()) for one in settings["followers"]]
        follows = [(str(edge["leader"]), str(edge["follower"])) for edge in settings["follows"]]
        before = {(_key(self.leaders, one), _key(self.followers, other)) for one, other in self.follows}
        after = {(_key(leaders, one), _key(followers, other)) for one, other in follows}
        called = list(self.leaders)
        _place(self.leaders, leaders)
        _place(self.followers, followers)
        self.follows = follows
        if not is_first:
            moved = {leader for leader, _ in before ^ after}
            names = {name for name, address in (*called, *self.leaders) if address in moved}
            self.changed = sorted(names | set(self.changed))


def _key(people: list[tuple[str, str]], name: str) -> str:
    return next((address for other, address in people if other == name), name)


def _place(places: list[tuple[str, str]], people: list[tuple[str, str]]) -> None:
    names = {address: name for name, address in people}
    taken = {name.lower() for name in names.values()}
    for place, (name, address) in enumerate(places):
        if address in names:
            places[place] = (names.pop(address), address)
        elif name.lower() in taken:
            # Somebody else has the name now; the core calls the removed one so.
            places[place] = (f"{name.partition('~')[0]}~{place}", address)
    places += [(name, address) for name, address in people if address in names]
