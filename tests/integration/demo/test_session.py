"""A session against the real simulator, with an engine that does nothing: the verdict must say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlfast.demo.board import Progress
from hlfast.demo.judge import judge
from hlfast.demo.recordings import packaged
from hlfast.demo.session import Options, Session

IDLE = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('{"ready": true, "metrics_url": null}', flush=True)
time.sleep(60)
"""


@pytest.mark.asyncio
async def test_session_injects_everything_and_an_idle_engine_is_no_copier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "idle_engine.py").write_text(IDLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path) + ":" + str(Path(__file__).parents[3] / "python"))
    recordings = tuple(recording for recording in packaged() if recording.name in ("day", "shorts"))
    seen: list[Progress] = []
    session = Session(Options(recordings, followers=4, seconds=10), tmp_path, seen.append, engine=("idle_engine",))
    run = await session.run()
    assert run.exit_codes == {"engine": 0, "simulator": 0}
    assert run.problems == []
    assert len(run.evidence.fills) == 122 + 144
    for recording in recordings:
        injected = [fill for fill in run.evidence.fills if fill.leader == recording.name]
        assert [fill.end for fill in injected] == [fill.end for fill in recording.fills]
    assert seen
    assert seen[-1].fills.total() == 266
    verdict = judge(run.evidence)
    said = "\n".join(verdict.mismatches)
    assert "day: no follower of this leader traded" in said
    assert "shorts: no follower of this leader traded" in said
    assert said.count("no receipt for") == run.progress.receipts_due
    assert "follower-02: holds 0 ACE, its policy says" in said
