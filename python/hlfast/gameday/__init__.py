"""Seeded simulation of the whole: the real engine in virtual time, a hostile world around it, and a checker."""
