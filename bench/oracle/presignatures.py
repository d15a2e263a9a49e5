"""Recover presigned signatures with coincurve: `bench/oracle/presignatures.py --count 1000000`.

Every signature must lead back to its signer, and no signer may show one r twice. Signatures that the pool could not serve are
hedged; they are checked too and counted apart.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from coincurve import PublicKey
from eth_hash.auto import keccak

from hlfast.signing import PresignPool, Signer, action_hash, l1_digest

SIGNERS = 8
DEPTH = 512
NONCE = 1_790_000_000_000


def block(count: int) -> tuple[int, int]:
    """Sign and recover `count` orders with fresh keys; returns (signatures, presigned ones)."""
    signers = [Signer.from_key(secrets.token_bytes(32)) for _ in range(SIGNERS)]
    pool = PresignPool(signers, DEPTH)
    seen: list[set[str]] = [set() for _ in signers]
    done = 0
    while done < count:
        while pool.ready < SIGNERS * DEPTH // 2:
            if pool.counts()["failed"]:
                raise SystemExit("a refill failed")
        batch = min(SIGNERS * DEPTH // 2, count - done)
        orders = [((done + n) % SIGNERS, 4, True, "1670.1", "0.0147", NONCE + done + n) for n in range(batch)]
        for order, raw in zip(orders, pool.order_requests(orders, mainnet=False), strict=True):
            check(signers[order[0]].address, raw, order[5], seen[order[0]])
        done += batch
    return done, pool.counts()["taken"]


def check(address: str, raw: bytes, nonce: int, seen: set[str]) -> None:
    """Recover one signature with libraries that hlfast does not use."""
    body = json.loads(raw)
    signature = body["signature"]
    digest = l1_digest(action_hash(body["action"], nonce), mainnet=False)
    compact = int(signature["r"], 16).to_bytes(32, "big") + int(signature["s"], 16).to_bytes(32, "big")
    key = PublicKey.from_signature_and_message(compact + bytes([signature["v"] - 27]), digest, hasher=None)
    if "0x" + keccak(key.format(compressed=False)[1:])[12:].hex() != address:
        raise SystemExit(f"{address}: recovered another address from {raw!r}")
    if signature["r"] in seen:
        raise SystemExit(f"{address}: r {signature['r']} twice")
    seen.add(signature["r"])


def main() -> None:
    """Parse and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    size = min(100_000, args.count)
    sizes = [min(size, args.count - start) for start in range(0, args.count, size)]
    signatures = presigned = 0
    # Spawned, not forked: a fork could not use its parent's presignatures.
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for done, taken in pool.map(block, sizes):
            signatures, presigned = signatures + done, presigned + taken
            print(f"{signatures:>9} recovered, {presigned} presigned", file=sys.stderr, flush=True)
    print(
        json.dumps(
            {"what": "signatures recovered by coincurve", "recovered": signatures, "presigned": presigned, "r_twice": 0}
        )
    )


if __name__ == "__main__":
    main()
