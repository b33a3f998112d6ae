"""What the tests have long transcripts summarised by, in their own process and in those that are killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.types import JSONObject

SUMMARY = (-2, 0)
"""Who wrote a summary, and which: a transcript has one at most, as each takes the one before it in."""


def summarise(_messages: Sequence[JSONObject], *, session_id: str) -> JSONObject:
    """One message for the head of a transcript."""
    return {"w": SUMMARY[0], "n": SUMMARY[1], "of": session_id}


def options_of(job: str) -> dict[str, Any]:
    """What a job is run with besides its limit and its lease."""
    return {"summariser": summarise} if job == "summarise" else {}
