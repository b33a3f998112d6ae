"""Copies of JSON values, as often as one likes, from one that nobody else has: quicker than to decode them each time.

The rule of this module: a copy shares only what cannot be changed (text, numbers, True, False, None).
"""

from __future__ import annotations

from sys import getsizeof
from typing import Any, Final, TypeAlias

__all__ = ["Plan", "TooDeepError", "copied", "plan_of"]

Plan: TypeAlias = "tuple[tuple[str | int, Plan], ...]"
"""Where in a value other lists and objects are, and in these."""

DEPTH_MAX: Final = 50
PLAN_BYTES: Final = 160
"""What a list or object costs in a plan."""

PART_BYTES: Final = 76
"""What a text costs besides its characters, at most; numbers take less."""


class TooDeepError(Exception):
    """Lists within lists within lists: not for this."""


def plan_of(value: Any, depth: int = DEPTH_MAX) -> tuple[Plan, int]:  # noqa: ANN401 - a list or an object
    """How to copy a decoded list or object, and the bytes that it and its plan take, characters of texts not counted.

    Raises:
        TooDeepError: it is nested too deeply.
    """
    if depth == 0:
        raise TooDeepError
    is_object = type(value) is dict
    size = getsizeof(value) + PLAN_BYTES + len(value) * PART_BYTES * (1 + is_object)
    inner: list[tuple[str | int, Plan]] = []
    for place, part in value.items() if is_object else enumerate(value):
        if type(part) is dict or type(part) is list:
            plan, more = plan_of(part, depth - 1)
            inner.append((place, plan))
            size += more
    return tuple(inner), size


def copied(value: Any, plan: Plan) -> Any:  # noqa: ANN401 - a list or an object
    """A copy, of which the caller may do what he likes."""
    made = value.copy()
    for place, inner in plan:
        made[place] = copied(made[place], inner) if inner else made[place].copy()
    return made
