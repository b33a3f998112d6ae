"""Bring the sessions of other stores over: `sessioncache import FORMAT PATH`.

The rule of this package: `sources/` only read, `targets/` write through the store class
of the same contract, and `run.py` decides what is written, in which order, and what is said about it.
"""
