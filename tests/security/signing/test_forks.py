"""A fork must never sign with its parent's presignatures."""

from __future__ import annotations

import json
import os

from hlfast.errors import SigningError
from hlfast.signing import PresignPool, Signer

FORKS = 50
NONCE = 1_790_000_000_000


def child_signs(pool: PresignPool, write_end: int) -> None:
    """In the child: report the r of whatever can be signed, then leave without clean-up."""
    try:
        answer = pool.order_requests([(0, 4, True, "1", "20", NONCE)])[0]
    except SigningError as error:
        answer = str(error).encode()
    os.write(write_end, answer)
    os._exit(0)


def test_no_r_is_shared_between_a_process_and_its_forks() -> None:
    signer = Signer.from_key("07" * 32)
    pool = PresignPool([signer], depth=64)
    while pool.ready < 64:
        assert pool.counts()["failed"] == 0
    answers = []
    for _ in range(FORKS):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            child_signs(pool, write_end)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            answers.append(pipe.read())
        _, status = os.waitpid(pid, 0)
        assert status == 0
    assert all(b"fork" in answer for answer in answers), answers[:2]
    mine = [json.loads(raw)["signature"]["r"] for raw in pool.order_requests([(0, 4, True, "1", "20", NONCE)] * 64)]
    assert len(set(mine)) == 64
