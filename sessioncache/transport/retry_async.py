"""A wrapper that sends calls again, under the operation id they already have, until they are answered or time is up.

The rule of this module: only errors that say `retryable` are repeated. A write carries its operation id inside, so
that one that did run although no answer came is answered with its first reply, and happens once. The server remembers
that for the last writes of a session only, so none runs far ahead of one that is not answered, and a repeat says since
when it may have been done: where others have written so much since then that it may be forgotten, it is refused.
Nothing is repeated after the cache was closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sessioncache.errors import SessionCacheError
from sessioncache.telemetry import TelemetryHook
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.repeats import First, Repeats
from sessioncache.transport.results import is_retryable, raise_first
from sessioncache.transport.turns_async import Turn, Turns
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
        self,
        inner: AsyncTransport,
        *,
        call_timeout_ms: int,
        wait_max_ms: int,
        hooks: Sequence[TelemetryHook] = (),
        repeats: Repeats | None = None,
    ) -> None:
        """Wrap a transport.

        Args:
            inner: what to send with.
            call_timeout_ms: no attempt begins after this time.
            wait_max_ms: longest pause; pauses are random, up to 10 ms, 20 ms, 40 ms …
            hooks: hear of every repeat.
            repeats: what is known of earlier writes.
        """
        self._inner = inner
        self._call_timeout_ms = call_timeout_ms
        self._wait_max_ms = wait_max_ms
        self._hooks = tuple(hooks)
        self._turns = Turns(WINDOW)
        self._repeats = Repeats() if repeats is None else repeats
        self._is_closed = False

    async def call(self, call: Call[T]) -> T:
        """Send one call, again if need be."""
        session = call.route if call.writes else None
        turn: Turn | None = None
        first: First | None = None
        result: T
        if session is not None:
            turn = self._turns.begin(session)
            if turn is None:
                turn = await self._turns.wait(session, limit_ms=self._call_timeout_ms)
            first = self._repeats.begin(call)
        try:
            try:
                is_new = first is None or not first.may_be_done
                result = await (self._inner.call(call) if is_new else self._send_again(call, first))
            except SessionCacheError as error:
                if not self._is_repeated(error, first):
                    raise
                self._tell(call.name, error)
                async for attempt in self._attempts(call.name):
                    with attempt:
                        result = await self._send_again(call, first)
            if first is not None:
                self._repeats.end(first)
            return result
        except BaseException as error:
            if first is not None:
                self._repeats.fail(first, error)
            raise
        finally:
            if session is not None and turn is not None:
                self._turns.end(session, turn)

    def _is_repeated(self, error: SessionCacheError, first: First | None) -> bool:
        """Whether a first attempt that failed so is followed by others."""
        if first is not None:
            first.failed(error)
        return self._may_pass(error)

    async def _send_again(self, call: Call[T], first: First | None) -> T:
        """A repeat of a write says since when it may have been done, unless it surely was not."""
        if first is None:
            return await self._inner.call(call)
        if first.may_be_done:
            first.learn(await self._inner.call(first.question()))
            call = first.marked(call)
        else:
            first.begin()
        try:
            return await self._inner.call(call)
        except BaseException as error:
            first.failed(error)
            raise

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together, and those that failed for a passing reason again. Each writes another session."""
        firsts = [self._repeats.begin(call) if call.writes else None for call in calls]
        try:
            results = await self._send_many(calls, firsts)
        except BaseException as error:
            self._end_many(firsts, [error] * len(calls))
            raise
        self._end_many(firsts, results)
        if not return_errors:
            raise_first(results)
        return results

    def _end_many(self, firsts: Sequence[First | None], results: Sequence[Any]) -> None:
        for first, result in zip(firsts, results, strict=True):
            if first is not None:
                if isinstance(result, BaseException):
                    self._repeats.fail(first, result)
                else:
                    self._repeats.end(first)

    async def _send_many(self, calls: Sequence[Call[Any]], firsts: Sequence[First | None]) -> list[Any]:
        results: list[Any]
        try:
            again = [first if first is not None and first.may_be_done else None for first in firsts]
            if any(again):
                results = await self._send_many_again(calls, again)
            else:
                results = await self._inner.call_many(calls, return_errors=True)
        except SessionCacheError as error:
            # None was sent: the namespace could not be opened, or no node of the cluster told where to send.
            if not self._may_pass(error):
                raise
            results = [error] * len(calls)
        failure = next((result for result in results if self._may_pass(result)), None)
        if failure is not None:
            self._tell(_name_of(calls), failure)
            await self._repeat(calls, firsts, results)
        return results

    async def _repeat(self, calls: Sequence[Call[Any]], firsts: Sequence[First | None], results: list[Any]) -> None:
        try:
            async for attempt in self._attempts(_name_of(calls)):
                with attempt:
                    failed = [index for index, result in enumerate(results) if is_retryable(result)]
                    again = await self._send_many_again(
                        [calls[index] for index in failed], [firsts[index] for index in failed]
                    )
                    for index, result in zip(failed, again, strict=True):
                        results[index] = result
                    still = next((result for result in again if is_retryable(result)), None)
                    if still is not None:
                        raise still
        except SessionCacheError as error:
            if not error.retryable:
                raise

    async def _send_many_again(self, calls: Sequence[Call[Any]], firsts: Sequence[First | None]) -> list[Any]:
        """Repeats of writes say since when they may have been done; one whose server does not tell the time waits."""
        asking = [first for first in firsts if first is not None]
        results: list[Any] = [None] * len(calls)
        if asking:
            times = iter(await self._inner.call_many([first.question() for first in asking], return_errors=True))
            results = [None if first is None else next(times) for first in firsts]
            for first, told in zip(firsts, results, strict=True):
                if first is not None and isinstance(told, int):
                    first.learn(told)
        ready = [index for index, told in enumerate(results) if not isinstance(told, BaseException)]
        marked = [first.marked(call) if first else call for call, first in zip(calls, firsts, strict=True)]
        again = await self._inner.call_many([marked[index] for index in ready], return_errors=True) if ready else []
        for index, result in zip(ready, again, strict=True):
            results[index] = result
        return results

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
