"""Every exception that hlfast raises on purpose: one tree, rooted at `HlfastError`.

Messages name what is wrong and what to do. None ever holds key material.
"""

from __future__ import annotations

from hlfast._core import ConfigError, HlfastError, JournalError, KeyFileError, SigningError

__all__ = [
    "ConfigError",
    "FeedError",
    "HlfastError",
    "HttpStatusError",
    "JournalError",
    "KeyFileError",
    "NoAnswerError",
    "RateLimitedError",
    "SettingError",
    "SigningError",
    "VenueError",
]


class SettingError(ConfigError):
    """A setting has a wrong name or value. The message names the setting and the nearest right one."""


class FeedError(HlfastError):
    """A feed sent what its protocol does not allow, or cannot be kept open."""


class VenueError(HlfastError):
    """The venue answered and said no; nothing was changed there."""


class HttpStatusError(VenueError):
    """The venue answered with an HTTP status other than 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:500]}")
        self.status = status
        self.text = text

    def __reduce__(self) -> tuple[type[HttpStatusError], tuple[int, str]]:
        return type(self), (self.status, self.text)


class RateLimitedError(HttpStatusError):
    """The venue refused for its limits (HTTP 429): wait, then ask again."""


class NoAnswerError(HlfastError):
    """No answer came.

    After an action was sent its outcome is unknown, not failed: ask the venue before sending again.
    """
