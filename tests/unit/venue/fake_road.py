"""A road that answers from a list and remembers what was asked."""

from __future__ import annotations

from typing import Any

import orjson

from hlfast.venue.http import HttpRoad


class FakeRoad(HttpRoad):
    def __init__(self, *answers: Any, status: int = 200) -> None:
        super().__init__("http://127.0.0.1:1")
        self._answers = list(answers)
        self._status = status
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        self.asked.append((path, orjson.loads(body)))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, tuple):
            return answer
        return self._status, answer if isinstance(answer, bytes) else orjson.dumps(answer)
