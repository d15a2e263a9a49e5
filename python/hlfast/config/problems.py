"""What is wrong with a setting, said in one line: its name, what is wrong, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import msgspec

from hlfast.errors import SettingError

ENV_PREFIX = "HLFAST_"
NESTED = "__"
SKELETON = "see docs/configuration.md for a whole example"
# 32 bytes of hex are a private key until shown otherwise: they never reach a terminal or a log.
_KEY_LIKE = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64}")


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One wrong setting."""

    setting: str  # dotted, as in follows[2].leader
    what: str
    fix: str

    def line(self) -> str:
        """Return `setting: what; fix`, with whatever looks like a key blotted out."""
        return redact(f"{self.setting}: {self.what}; {self.fix}")


def redact(text: str) -> str:
    """Blot out anything that could be a private key."""
    return _KEY_LIKE.sub("<redacted>", text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be."""
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.55)
    return by_fold[close[0]] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "did you mean …?" or the list of what there is."""
    names = sorted(known)
    found = nearest(word, names)
    if found is not None:
        return f'did you mean "{found}"?'
    return f"known are: {', '.join(names)}" if names else "there are none"


class SettingsRefusedError(SettingError):
    """The configuration has something wrong in it. `problems` holds every finding; the text is one line each."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.line() for problem in problems))
