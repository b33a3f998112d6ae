"""A wrapper that tells the telemetry hooks what every call did and how long it took.

The rule of this module: it observes. It changes no call and no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, TypeVar

from sessioncache.errors import SessionCacheError
from sessioncache.telemetry import CallRecord, TelemetryHook
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.results import Received, raise_first
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["AsyncInstrumentTransport"]

T = TypeVar("T")


class AsyncInstrumentTransport:
    """Tells hooks of every call."""

    def __init__(self, inner: AsyncTransport, hooks: Sequence[TelemetryHook]) -> None:
        self._inner = inner
        self._hooks = tuple(hooks)

    async def call(self, call: Call[T]) -> T:
        """Send one call and report it."""
        started, received = perf_counter(), Received()
        try:
            result = await self._inner.call(received.by(call))
        except BaseException as error:
            self._report(call, started, error)
            raise
        self._report(call, started, result, received.bytes)
        return result

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together and report each; they share their duration."""
        started, received = perf_counter(), [Received() for _call in calls]
        try:
            results = await self._inner.call_many(
                [one.by(call) for one, call in zip(received, calls, strict=True)], return_errors=True
            )
        except BaseException as error:
            for call in calls:
                self._report(call, started, error)
            raise
        for call, result, one in zip(calls, results, received, strict=True):
            self._report(call, started, result, one.bytes)
        if not return_errors:
            raise_first(results)
        return results

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams; waiting is not work and is not reported."""
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        """Close what is wrapped."""
        await self._inner.aclose()

    def _report(self, call: Call[Any], started: float, result: object, received_bytes: int = 0) -> None:
        error = outcome = None
        if isinstance(result, BaseException):
            error = result.code if isinstance(result, SessionCacheError) else "other"
        elif call.outcome is not None:
            outcome = call.outcome(result)
        sent = sum(len(arg) for arg in call.args if isinstance(arg, bytes | str))
        took_s = perf_counter() - started
        record = CallRecord(call.name, took_s, error, outcome, sent, received_bytes, call.route)
        for hook in self._hooks:
            hook.on_call(record)
