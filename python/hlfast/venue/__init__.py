"""Typed async client of the venue: `info`, `exchange`, `ws`, `metadata`, `limits`."""
