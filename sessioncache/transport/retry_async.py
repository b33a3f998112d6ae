"""A wrapper that sends calls again, under the operation id they already have, until they are answered or time is up.

The rule of this module: only errors that say `retryable` are repeated. A write carries its operation id inside, so
that one that did run although no answer came is answered with its first reply, and happens once. The server remembers
that for the last writes of a session only, so none runs far ahead of one that is not answered. Nothing is repeated
after the cache was closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sessioncache.errors import SessionCacheError
from sessioncache.telemetry import TelemetryHook
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.results import is_retryable, raise_first
from sessioncache.transport.turns_async import Turns
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

__all__ = ["AsyncRetryTransport"]

T = TypeVar("T")

WINDOW: Final = 8
"""So far behind the oldest write of its session that is not answered, the next one waits: between a write and its
repeat at most 14 others of this cache are done, and the server remembers 16."""


class AsyncRetryTransport:
    """Repeats what failed for reasons that pass."""

    def __init__(
        self, inner: AsyncTransport, *, call_timeout_ms: int, wait_max_ms: int, hooks: Sequence[TelemetryHook] = ()
    ) -> None:
        """Wrap a transport.

        Args:
            inner: what to send with.
            call_timeout_ms: no attempt begins after this time.
            wait_max_ms: longest pause; pauses are random, up to 10 ms, 20 ms, 40 ms …
            hooks: hear of every repeat.
        """
        self._inner = inner
        self._call_timeout_ms = call_timeout_ms
        self._wait_max_ms = wait_max_ms
        self._hooks = tuple(hooks)
        self._turns = Turns(WINDOW)
        self._is_closed = False

    async def call(self, call: Call[T]) -> T:
        """Send one call, again if need be."""
        session = call.route if call.writes else None
        turn: int | None = None
        if session is not None:
            turn = self._turns.begin(session)
            if turn is None:
                turn = await self._turns.wait(session, limit_ms=self._call_timeout_ms)
        try:
            try:
                return await self._inner.call(call)
            except SessionCacheError as error:
                if not self._may_pass(error):
                    raise
                self._tell(call.name, error)
            result: T
            async for attempt in self._attempts(call.name):
                with attempt:
                    result = await self._inner.call(call)
            return result
        finally:
            if session is not None and turn is not None:
                self._turns.end(session, turn)

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together, and those that failed for a passing reason again. Each writes another session."""
        results: list[Any]
        try:
            results = await self._inner.call_many(calls, return_errors=True)
        except SessionCacheError as error:
            # None was sent: the namespace could not be opened, or no node of the cluster told where to send.
            if not self._may_pass(error):
                raise
            results = [error] * len(calls)
        failure = next((result for result in results if self._may_pass(result)), None)
        if failure is not None:
            self._tell(_name_of(calls), failure)
            await self._repeat(calls, results)
        if not return_errors:
            raise_first(results)
        return results

    async def _repeat(self, calls: Sequence[Call[Any]], results: list[Any]) -> None:
        try:
            async for attempt in self._attempts(_name_of(calls)):
                with attempt:
                    failed = [index for index, result in enumerate(results) if is_retryable(result)]
                    again = await self._inner.call_many([calls[index] for index in failed], return_errors=True)
                    for index, result in zip(failed, again, strict=True):
                        results[index] = result
                    still = next((result for result in again if is_retryable(result)), None)
                    if still is not None:
                        raise still
        except SessionCacheError as error:
            if not error.retryable:
                raise

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams; a lost connection is not repeated here, for the caller reads again anyway."""
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        """Close what is wrapped."""
        self._is_closed = True
        await self._inner.aclose()

    def _may_pass(self, outcome: object) -> bool:
        return is_retryable(outcome) and not self._is_closed

    def _attempts(self, name: str) -> AsyncRetrying:
        from tenacity import (  # noqa: PLC0415 - most processes start without it: nothing fails then
            AsyncRetrying,
            retry_if_exception,
            stop_after_delay,
            wait_random_exponential,
        )

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, SessionCacheError):
                self._tell(name, error)

        return AsyncRetrying(
            stop=stop_after_delay(self._call_timeout_ms / 1000),
            wait=wait_random_exponential(multiplier=0.01, max=self._wait_max_ms / 1000),
            retry=retry_if_exception(self._may_pass),
            before_sleep=tell,
            reraise=True,
        )

    def _tell(self, name: str, error: SessionCacheError) -> None:
        for hook in self._hooks:
            hook.on_retry(name, error.code)


def _name_of(calls: Sequence[Call[Any]]) -> str:
    return "call_many" if len(calls) != 1 else calls[0].name
