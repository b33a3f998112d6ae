"""Summaries: the head of a long transcript becomes one message, which the user's own code writes.

The rule of this module: it is off until a policy says from how many messages on, and a setting names the code. That
code is not trusted: it has a time limit, and what it answers is checked; where it fails, nothing has changed.

```
messages 1 … 300, 301 … 400          read ─▶ summariser (seconds) ─▶ are 1 … 300 still there, as they were?
                                      ─▶ swap at that revision: message 300 is the summary, 301 … 400 follow
```

What was appended meanwhile follows, too. If anybody replaced, popped or trimmed what was summarised, the summary is
thrown away.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from time import perf_counter
from typing import Any, Final, Protocol, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import (
    ConfigurationError,
    Conflict,
    DataError,
    InvalidArgument,
    LimitExceeded,
    ScriptFailure,
    SessionGone,
    VersionConflict,
)
from sessioncache.maintenance.batch import Batches, RunOptions, number_of
from sessioncache.maintenance.pairs import cut_at_most
from sessioncache.maintenance.report import Report
from sessioncache.retention import RetentionPolicy
from sessioncache.transcripts import Entry
from sessioncache.types import Base, JSONObject, SessionId
from sessioncache.upkeep.models import COUNTED, Walk
from sessioncache.wire.codec import encode_message
from sessioncache.wire.cut_points import continues

__all__ = ["GROUP", "Summariser", "load_summariser", "run"]

JOB: Final = "summarise"

GROUP: Final = "sessioncache.summarisers"
"""The group of entry points."""

KEEP_MAX: Final = 400
"""A replacement leaves 500 messages at most where they are, and some may be appended meanwhile."""

READ_MAX: Final = 5_000
"""Longest transcript that is summarised: all of its head is read at once."""

SPEND_S: Final = 40.0
"""A run begins no further summary after so long; the next run goes on."""

SWAP_TRIES: Final = 5

ANEW_MS: Final = 21_600_000
"""So often all sessions are looked at again, for those where it failed."""


class Summariser(Protocol):
    """What an entry point names; it may be an async function, too."""

    def __call__(self, messages: Sequence[JSONObject], *, session_id: str) -> str | JSONObject | Awaitable[Any]:
        """The summary of messages, oldest first: its text, or a whole message."""


def load_summariser(name: str) -> Summariser:
    """The summariser of that name.

    Raises:
        ConfigurationError: no installed package has one of that name, or it cannot be imported.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ConfigurationError(
            f"there is no summariser {name!r}: no installed package has an entry point of that name in the group "
            f"{GROUP!r}; there are: {known}"
        )
    try:
        loaded: Summariser = found[name].load()
    except Exception as error:
        raise ConfigurationError(f"the summariser {name!r} cannot be imported: {error!r}") from error
    return loaded


async def run(
    cache: AsyncSessionCache,
    shard: int,
    *,
    summariser: Summariser | None = None,
    **options: Unpack[RunOptions],
) -> Report:
    """Summarise the heads of a shard's long transcripts, looking at `limit` sessions at most.

    Does nothing unless the policy has `summarise_messages`, and a summariser is given or set
    (`SESSIONCACHE_SUMMARISER`). Sessions are looked at in the order of their last writes; the next run goes on.

    Raises:
        ConfigurationError: there is no summariser of that name.
        LeaseLost: somebody else has taken the shard over; what was summarised stays so.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        policy = await cache.retention.get()
        name = cache.settings.summariser
        if not policy.summarise_messages or (summariser is None and not name):
            return report
        work = _Summaries(cache, shard, batches, policy, summariser or load_summariser(name or ""))
        now_ms = await cache.upkeep.clock(shard)
        at_ms, member, began_ms = await cache.upkeep.noted(shard, JOB, ["at_ms", "member", "began_ms"])
        walk = Walk(number_of(at_ms), member)
        if now_ms - number_of(began_ms) >= ANEW_MS:
            walk, began_ms = Walk(), str(now_ms)
        while batches.room and work.has_time:
            found = await cache.upkeep.updated(shard, walk, until_ms=now_ms, limit=batches.room)
            if not found:
                return report
            ids = batches.own([session_id for session_id, _at_ms in found], shard)
            report.examined += len(found)
            left = await work.look(ids)
            await batches.ended()
            walk = _up_to(walk, found, left)
            if not batches.dry_run:
                noted: dict[str, int | str] = {"at_ms": walk.at_ms, "member": walk.member, "began_ms": began_ms}
                await cache.upkeep.note(shard, JOB, noted, lease=batches.lease)
        report.done = not await cache.upkeep.updated(shard, walk, until_ms=now_ms, limit=1)
        return report


def _up_to(walk: Walk, found: Sequence[tuple[SessionId, int]], left: SessionId | None) -> Walk:
    """How far the walk came: up to the session that there was no time for."""
    ids = [session_id for session_id, _at_ms in found]
    return walk.after(found if left is None else found[: ids.index(left)])


@dataclass(frozen=True, slots=True)
class _Head:
    """What is to be summarised of a session."""

    session_id: SessionId
    gen: str
    entries: Sequence[Entry]

    @property
    def through(self) -> int:
        return self.entries[-1].seq

    @property
    def places(self) -> list[tuple[int, int]]:
        return [(entry.seq, entry.ms) for entry in self.entries]


class _Summaries:
    """One run."""

    def __init__(
        self,
        cache: AsyncSessionCache,
        shard: int,
        batches: Batches,
        policy: RetentionPolicy,
        summariser: Summariser,
    ) -> None:
        self.cache = cache
        self.shard = shard
        self.batches = batches
        self.policy = policy
        self.keep = min(policy.summarise_keep, KEEP_MAX, policy.summarise_messages)
        self.summariser = summariser
        self.began = perf_counter()

    @property
    def has_time(self) -> bool:
        """Whether another summary may begin."""
        return perf_counter() - self.began < SPEND_S

    async def look(self, session_ids: Sequence[SessionId]) -> SessionId | None:
        """Summarise those of the sessions that are too long; the first that there was no time for."""
        position = COUNTED.index("messages")
        counters = await self.cache.upkeep.counters(session_ids)
        for session_id, found in zip(session_ids, counters, strict=True):
            if not isinstance(found, tuple) or found[position] <= self.policy.summarise_messages:
                continue
            if not self.has_time:
                return session_id
            try:
                await self._session(session_id, found[position])
            except (DataError, LimitExceeded, ScriptFailure, Conflict) as error:
                # One session must not keep the walk from those behind it.
                self.batches.report.add("kept" if isinstance(error, Conflict | LimitExceeded) else "torn")
                self.batches.report.note(f"{session_id!r} was not summarised: {error}")
        return None

    async def _session(self, session_id: SessionId, count: int) -> None:
        report = self.batches.report
        session = await self.cache.sessions.get(session_id)
        if session is None or (session.pinned and self.policy.keep_pinned):
            return
        if count > READ_MAX:
            report.note(f"{session_id!r} has {count} messages; {READ_MAX} at most are summarised")
            return
        head = await self._head(session_id, session.gen or "")
        if head is None:
            return
        if self.batches.dry_run:
            summary: JSONObject | None = {}
        else:
            summary = await self._ask(head)
            await self.batches.ended()
            # It took its time: is the shard still ours?
            await self.batches.hold()
        if summary is None:
            report.add("summariser_failed")
        elif self.batches.dry_run or await self._swap(head, summary):
            report.changed += 1
            report.add("summarised")
            report.add("summarised_messages", len(head.entries))
        else:
            report.add("kept")

    async def _head(self, session_id: SessionId, gen: str) -> _Head | None:
        """The messages beyond those that stay; None where there are none, or no place to cut."""
        page = await self.cache.transcripts.list(session_id, start=0, limit=READ_MAX)
        entries = list(page.items)
        cut = cut_at_most([entry.message for entry in entries], max(len(entries) - self.keep, 0))
        # One message is no head: its summary would be one as well.
        return _Head(session_id, gen, entries[:cut]) if cut > 1 else None

    async def _ask(self, head: _Head) -> JSONObject | None:
        """The summary, if it is one."""
        limit_s = self.cache.settings.summariser_timeout_ms / 1000
        messages = [dict(entry.message) for entry in head.entries]
        report = self.batches.report
        try:
            answer = await asyncio.wait_for(_call(self.summariser, messages, head.session_id), limit_s)
        except TimeoutError:
            report.note(f"the summariser took longer than {limit_s:g} s")
            return None
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises, nothing has changed
            report.note(f"the summariser failed: {type(error).__name__}")
            return None
        summary = {"role": "system", "content": answer} if isinstance(answer, str) and answer.strip() else answer
        why = self._objection(summary, head)
        if why is not None:
            report.note(f"the summariser answered {why}")
            return None
        return dict(summary)

    def _objection(self, summary: object, head: _Head) -> str | None:
        """Why an answer is no summary; None: it is one."""
        if not isinstance(summary, Mapping) or not summary:
            return f"{type(summary).__name__}, which is neither text nor a message"
        if continues(summary) or summary.get("tool_calls"):
            return "a tool's call or result"
        try:
            size = len(encode_message(summary, bytes_max=self.cache.settings.entry_bytes_max, position=0))
        except (InvalidArgument, LimitExceeded) as error:
            return f"what cannot be stored: {error}"
        if size > sum(len(entry.payload) for entry in head.entries):
            return "more bytes than it was given"
        return None

    async def _swap(self, head: _Head, summary: JSONObject) -> bool:
        """Put the summary in the place of the head, if that is as it was; whether it was."""
        for _ in range(SWAP_TRIES):
            session = await self.cache.sessions.get(head.session_id)
            if session is None or session.gen != head.gen or (session.pinned and self.policy.keep_pinned):
                return False
            page = await self.cache.transcripts.list(head.session_id, stop=head.through, limit=READ_MAX)
            if page.revision != session.revision:
                continue
            if [(entry.seq, entry.ms) for entry in page.items] != head.places:
                return False
            try:
                await self.cache.sessions.save(
                    session,
                    messages=[summary],
                    through=head.through,
                    updated_at=session.updated_at,
                    base=Base(session.gen, session.revision),
                )
            except VersionConflict:
                continue
            except (SessionGone, InvalidArgument):
                return False
            return True
        return False


async def _call(summariser: Summariser, messages: list[JSONObject], session_id: str) -> Any:  # noqa: ANN401 - it is not trusted to answer what it should
    """What the summariser answers. A plain function runs in a thread, which goes on by itself where it is too slow."""
    given = partial(summariser, messages, session_id=session_id)
    is_async = inspect.iscoroutinefunction(summariser) or inspect.iscoroutinefunction(type(summariser).__call__)
    answer = given() if is_async else await _in_thread(given)
    return await answer if inspect.isawaitable(answer) else answer


async def _in_thread(work: Callable[[], object]) -> object:
    """Its result. The thread is a daemon: one that never ends must not keep the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()

    def tell(result: object, error: BaseException | None) -> None:
        if not done.done():
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

    def body() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            failed = RuntimeError(repr(error)) if isinstance(error, StopIteration | KeyboardInterrupt) else error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result, failed)

    threading.Thread(target=body, name="sessioncache-summariser", daemon=True).start()
    return await done
