"""What a trace is to its users: steps, and how they are made from whatever an agent's function took and returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from sessioncache.errors import InvalidArgument
from sessioncache.rooms.logs import LogPage
from sessioncache.types import JSONObject, datetime_from_ms

__all__ = ["TraceEntry", "TracePage", "TraceStep", "make_trace_step"]

TEXT_MAX: Final = 1_000
ITEMS_MAX: Final = 20
DEPTH_MAX: Final = 6
"""What is nested deeper becomes text: a container that holds itself has no end."""


class TraceStep(BaseModel):
    """One step of an agent. Fields that this release does not know are kept."""

    model_config = ConfigDict(extra="allow")

    trace_id: str = Field(default_factory=lambda: str(uuid4()))
    """The caller's id of the step; a random UUID unless given."""
    origin_function: str = ""
    """What ran."""
    status: str = ""
    """How it ended, in the agent's own words: usually `success` or `error`."""
    memory_query: str = ""
    memory_context: str = ""
    method_params: Any = Field(default_factory=dict)
    """What it was given: any JSON value."""
    method_return_value: Any = None
    """What it returned: any JSON value."""
    error_message: str = ""
    session_feedback: str = ""


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One step and where it stands."""

    position: int
    """Its place among all steps of the session: 1 for the first. Dropping old steps changes no position."""
    ms: int
    """When the server took it, in milliseconds since 1970."""
    payload: bytes
    """The stored bytes, exactly."""
    step: JSONObject
    """The decoded step."""

    @property
    def at(self) -> datetime:
        """When the server took it."""
        return datetime_from_ms(self.ms)


TracePage: TypeAlias = LogPage[TraceEntry]
"""Some steps of a trace, oldest first, as they stood together at one moment."""


def make_trace_step(
    origin_function: str,
    status: str,
    *,
    trace_id: str | None = None,
    memory_query: str = "",
    memory_context: str = "",
    method_params: object = None,
    method_return_value: object = None,
    error_message: str = "",
    session_feedback: str = "",
) -> TraceStep:
    """A step made fit for storing: texts are trimmed and cut to 1000 characters, parameters become plain JSON.

    In parameters and the return value, containers keep 20 items, UUIDs become text, an object with an `id` becomes its
    type and that id, and everything else becomes text.

    Raises:
        InvalidArgument: the trace id, the function or the status is blank.
    """
    named: dict[str, object] = {
        "trace_id": str(uuid4()) if trace_id is None else trace_id,
        "origin_function": origin_function,
        "status": status,
    }
    for what, text in named.items():
        if not isinstance(text, str) or not text.strip():
            raise InvalidArgument(f"{what} of a trace step is blank; give it a text")
    return TraceStep(
        trace_id=str(named["trace_id"]).strip(),
        origin_function=_cut(origin_function),
        status=_cut(status),
        memory_query=_cut(memory_query),
        memory_context=_cut(memory_context),
        method_params=_plain({} if method_params is None else method_params),
        method_return_value=_plain(method_return_value),
        error_message=_cut(error_message),
        session_feedback=_cut(session_feedback),
    )


def _cut(text: object) -> str:
    trimmed = str(text).strip()
    return trimmed if len(trimmed) <= TEXT_MAX else trimmed[: TEXT_MAX - 3] + "..."


def _plain(value: object, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    """Whatever a function took or returned, as a small JSON value."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    if depth >= DEPTH_MAX or isinstance(value, str | UUID | bytes | bytearray):
        return _cut(value)
    if isinstance(value, Mapping):
        items = list(value.items())[:ITEMS_MAX]
        return {_cut(name): _plain(item, depth + 1) for name, item in items}
    if isinstance(value, Sequence | AbstractSet):
        return [_plain(item, depth + 1) for item in list(value)[:ITEMS_MAX]]
    found = getattr(value, "id", None)
    return _cut(value) if found is None else {"type": type(value).__name__, "id": _cut(found)}
