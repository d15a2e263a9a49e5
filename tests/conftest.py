"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes is a matter of the machine, which several workers share; speed is measured in bench/.
settings.register_profile("hlfast", deadline=None)
settings.load_profile("hlfast")
