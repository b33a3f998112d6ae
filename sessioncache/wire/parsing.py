"""Many messages at once, by the quickest parser that there is: most of what a read costs.

The rule of this module: whichever parser it is, the answer is the same. What the quicker one refuses the other one is
asked; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from pydantic_core import from_json

from sessioncache.types import JSONObject

__all__ = ["objects_in", "objects_in_any_case"]

DICTS: Final = frozenset({dict})


def objects_in(text: bytes) -> list[JSONObject]:
    """The objects of a JSON array.

    Raises:
        ValueError: it is no JSON, or something in it is no object.
    """
    return _parser()(text)


@cache
def _parser() -> Callable[[bytes], list[JSONObject]]:
    """Chosen with the first read: the extra `speed` brings the quicker one, and imports take time."""
    try:
        from msgspec import MsgspecError  # noqa: PLC0415 - as above
        from msgspec.json import Decoder  # noqa: PLC0415 - as above
    except ImportError:
        return objects_in_any_case
    decode = Decoder(list[dict[str, Any]]).decode

    def objects(text: bytes) -> list[JSONObject]:
        try:
            return decode(text)
        except (MsgspecError, ValueError, RecursionError):
            # Infinities, for one: they were never let in, but may lie there.
            return objects_in_any_case(text)

    return objects


def objects_in_any_case(text: bytes) -> list[JSONObject]:
    """The same without the extra."""
    found: list[JSONObject] = from_json(text, cache_strings="keys")
    if not set(map(type, found)) <= DICTS:
        raise ValueError("something in it is no object")
    return found
