"""A scrape of the metrics endpoint, as far as the benches read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exposition:
    """Samples by their full name, labels included as written."""

    samples: dict[str, float]

    @classmethod
    def parse(cls, text: str) -> Exposition:
        """Read the text format; comments are skipped."""
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return cls(samples)

    def value(self, family: str) -> float:
        """The sum over all series of one family; 0 when there is none."""
        return sum(value for name, value in self.samples.items() if name == family or name.startswith(family + "{"))
