"""Dictionaries that this process has met, by their hashes: what a hash names never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessioncache.sealing.chunks import dictionary_id

if TYPE_CHECKING:
    import zstandard

__all__ = ["known_dictionary", "remember_dictionary"]

KEPT_MAX: Final = 64

_known: dict[str, zstandard.ZstdCompressionDict] = {}


def known_dictionary(name: str) -> zstandard.ZstdCompressionDict | None:
    """The dictionary of that hash, if this process has met it."""
    return _known.get(name)


def remember_dictionary(name: str, data: bytes) -> zstandard.ZstdCompressionDict:
    """Keep a dictionary, the newest 64.

    Raises:
        ValueError: it is not the one of that name.
    """
    import zstandard  # noqa: PLC0415 - only who seals, or reads what is sealed, needs it

    if dictionary_id(data) != name:
        raise ValueError(f"dictionary {name} is damaged: its hash is another")
    if len(_known) >= KEPT_MAX:
        _known.pop(next(iter(_known)), None)
    found = _known[name] = zstandard.ZstdCompressionDict(data)
    return found
