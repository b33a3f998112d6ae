"""The servers that tests run on: real ones, private to the run, started at first use."""

from __future__ import annotations

from tests.engines.engine import Engine, Feature, Kind
from tests.engines.keys import KeySeen, clients, keys_of, list_keys
from tests.engines.start import DEFAULT, STARTERS, Engines, MissingEngine

__all__ = [
    "DEFAULT",
    "STARTERS",
    "Engine",
    "Engines",
    "Feature",
    "KeySeen",
    "Kind",
    "MissingEngine",
    "clients",
    "keys_of",
    "list_keys",
]
