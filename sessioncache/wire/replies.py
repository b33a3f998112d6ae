"""Replies of plain commands, which differ by protocol; scripts answer alike in all of them.

The rule of this module: a decoder gets what RESP2 has, a flat list, whatever the connection speaks.
"""

from __future__ import annotations

from typing import Any

__all__ = ["flat", "whole_number"]


def flat(reply: Any) -> list[Any]:  # noqa: ANN401 - RESP3 has maps and pairs where RESP2 has a flat list
    """Names and values, or members and scores, alternating."""
    if isinstance(reply, dict):
        return [part for pair in reply.items() for part in pair]
    if reply and not isinstance(reply[0], bytes):
        return [part for pair in reply for part in pair]
    return list(reply)


def whole_number(value: bytes) -> int | None:
    """The number that a field holds, as the server itself would read it to add to it; None: it holds none."""
    try:
        number = int(value)
    except ValueError:
        return None
    return number if b"%d" % number == value and -(2**63) <= number < 2**63 else None
