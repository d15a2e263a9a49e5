"""Asks a testnet what the venue's documents leave open: `hlfast testnet-probe`.

- `subject`: whose agent it is, and what refuses a probe before anything is sent.
- `desk`: signs, sends over both lanes, looks up; remembers what is on its way.
- `question`, and `nonces`, `orders`, `lookups`, `trades`: what is asked, and what hlfast takes for the answer.
- `cleaning`: nothing rests and nothing is held afterwards. `session`: one run from the first question to the last look.

Signs for the testnet and nothing else. docs/testnet.md holds the same questions with what depends on them.
"""
