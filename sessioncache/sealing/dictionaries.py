"""Dictionaries that this process has met, by their hashes: what a hash names never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessioncache.sealing.chunks import dictionary_id

if TYPE_CHECKING:
    import zstandard

__all__ = ["DICTIONARY_BYTES_MAX", "known_dictionary", "pack_dictionary", "remember_dictionary", "unpack_dictionary"]

DICTIONARY_BYTES_MAX: Final = 1_048_576

KEPT_MAX: Final = 64

_known: dict[str, zstandard.ZstdCompressionDict] = {}


def known_dictionary(name: str) -> zstandard.ZstdCompressionDict | None:
    """The dictionary of that hash, if this process has met it."""
    return _known.get(name)


def pack_dictionary(data: bytes) -> bytes:
    """A dictionary as it is stored: compressed, for every shard has a copy."""
    import zstandard  # noqa: PLC0415 - only who seals, or reads what is sealed, needs it

    return zstandard.ZstdCompressor(level=19).compress(data)


def unpack_dictionary(stored: bytes) -> bytes:
    """A dictionary that was stored.

    Raises:
        ValueError: it is damaged.
    """
    import zstandard  # noqa: PLC0415 - as above

    try:
        if not 0 <= zstandard.frame_content_size(stored) <= DICTIONARY_BYTES_MAX:
            raise ValueError("a dictionary is damaged: it claims to be too large")
        return zstandard.ZstdDecompressor().decompress(stored)
    except zstandard.ZstdError as error:
        raise ValueError(f"a dictionary is damaged: {error}") from error


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
