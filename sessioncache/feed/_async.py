"""The methods of `cache.feed`.

A subscription reads every shard's feed after the last number it gave out, and waits on the streams when there is
nothing:

```
position {shard: number} ──▶ feed.read × shards ──▶ changes, gaps ──▶ the reader
          ▲                                             │
          └──── wait: XREAD BLOCK on a connection ◀─────┘ nothing new
                of its own (several slots: look again soon)
```
"""

from __future__ import annotations

import heapq
from collections import deque
from types import TracebackType
from typing import Self

from sessioncache.errors import BackendError, FeedGap, InvalidArgument
from sessioncache.feed import lua
from sessioncache.feed.models import Change, Told
from sessioncache.feed.position import Place, Position
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import SessionId, check_limit, check_session_id
from sessioncache.wire.keys import Keyspace

__all__ = ["AsyncFeed", "AsyncSubscription"]

WAIT_MS = 1_000


class AsyncFeed:
    """Follow what changes."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys
        self.told = Told()
        """How much subscribers were told."""

    def subscribe(
        self, session_id: SessionId | None = None, *, cursor: str | None = None, batch: int = 100
    ) -> AsyncSubscription:
        """Follow one session, or the whole namespace.

        Use it as a context manager and iterate over it, or call its `read`. Begins with what is committed after the
        `with` statement was entered, or after `cursor`. Changes of one session come in the order of their commits;
        those of different sessions may be interleaved in any way.

        Args:
            session_id: None follows all sessions of the namespace.
            cursor: from an earlier subscription of the same kind: nothing in between is left out.
            batch: most changes to read from a shard at a time.

        Raises:
            InvalidArgument: a bad id, or a cursor that does not fit.
        """
        if session_id is not None:
            check_session_id(session_id)
        check_limit(batch, what="batch", at_least=1, at_most=1_000)
        return AsyncSubscription(self._transport, self._keys, session_id, cursor=cursor, batch=batch, told=self.told)


class AsyncSubscription:
    """An open subscription. Iterating raises FeedGap once where changes were lost, and goes on behind the gap."""

    def __init__(
        self,
        transport: AsyncTransport,
        keys: Keyspace,
        session_id: str | None,
        *,
        cursor: str | None,
        batch: int,
        told: Told,
    ) -> None:
        self._told = told
        self._transport = transport
        self._keys = keys
        self._session_id = session_id
        self._batch = batch
        shards = range(keys.shards) if session_id is None else [keys.shard_of(session_id)]
        self._position = Position(shards, session_id=session_id)
        if cursor is not None:
            self._position.resume(cursor)
        self._ready: deque[Change] = deque()
        self._gaps: deque[tuple[int, Place, FeedGap]] = deque()
        self._given = Position(shards, session_id=session_id)
        self._given.after = dict(self._position.after)

    @property
    def cursor(self) -> str:
        """A cursor behind the last change that was given out: a later subscription goes on from there.

        Raises:
            InvalidArgument: the `with` statement was not entered yet, so there is no place to go on from.
        """
        if not self._given.known:
            raise InvalidArgument(
                "the subscription has no cursor yet; enter it with `async with`, or read from it, first"
            )
        return self._given.cursor()

    async def __aenter__(self) -> Self:
        """Note where the feed stands now."""
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open between reads."""

    def __aiter__(self) -> Self:
        """Iterate over changes as they come."""
        return self

    async def __anext__(self) -> Change:
        """The next change; waits for it as long as it takes."""
        while True:
            changes = await self.read(limit=1)
            if changes:
                return changes[0]

    async def read(self, *, limit: int = 1_000, wait_ms: int = WAIT_MS) -> list[Change]:
        """The next changes, at least one if any comes within `wait_ms`, else none.

        Raises:
            FeedGap: changes were lost in front of those that come next.
            BackendError: the server is away; reading again goes on where it was.
        """
        await self._begin()
        if not self._ready and not self._gaps:
            await self._fill()
        if not self._ready and not self._gaps and wait_ms > 0:
            await self._wait(wait_ms)
            await self._fill()
        if self._gaps:
            # One at a time: the cursor steps over a gap when it is told, and stays in front of those that are not.
            shard, place, gap = self._gaps.popleft()
            self._given.after[shard] = place
            gap.cursor = self.cursor
            self._told.gaps += 1
            raise gap
        changes = [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]
        for change in changes:
            self._given.after[change.shard] = (change.number, change.ms)
        self._told.changes += len(changes)
        return changes

    async def _begin(self) -> None:
        if self._position.known:
            return
        calls = [lua.read(shard=self._keys.shard(shard), after=0, limit=0) for shard in self._position.after]
        replies = await self._transport.call_many(calls)
        newest = dict(zip(self._position.after, (read.newest for read in replies), strict=True))
        self._position.after = newest
        self._given.after = dict(newest)

    async def _fill(self) -> None:
        shards = list(self._position.after)
        calls = [
            lua.read(shard=self._keys.shard(shard), after=number, after_ms=ms, limit=self._batch)
            for shard, (number, ms) in self._position.after.items()
        ]
        found: list[list[Change]] = []
        for shard, read in zip(shards, await self._transport.call_many(calls), strict=True):
            changes = read.changes
            gap = self._position.take(shard, read)
            if gap is not None:
                self._gaps.append((shard, (changes[0].number - 1, 0) if changes else read.newest, gap))
            followed = [change for change in changes if self._session_id in (None, change.session_id)]
            if changes and not followed and gap is None:
                self._given.after[shard] = (changes[-1].number, changes[-1].ms)
            found.append(followed)
        # By time across shards; within a shard the order of commits stays, even if the server's clock went back.
        self._ready.extend(heapq.merge(*found, key=lambda change: change.ms))

    async def _wait(self, wait_ms: int) -> None:
        streams = {
            self._keys.shard(shard).feed: f"{number}-18446744073709551615"
            for shard, (number, _ms) in self._position.after.items()
        }
        try:
            await self._transport.listen(streams, wait_ms=min(wait_ms, WAIT_MS))
        except BackendError as error:
            if not error.retryable:
                raise
