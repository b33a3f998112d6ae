"""The import itself: which session is written, which is left, and what is said about it.

The rule of this module: a session is whole or it is marked as unfinished. One that an interrupted import left so is
removed and written anew, so nothing can be there twice, however long ago the interruption was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import (
    ConfigurationError,
    Conflict,
    DataError,
    InvalidArgument,
    LimitExceeded,
    SessionGone,
    VersionConflict,
)
from sessioncache.importers.marker import MARKER, Standing, marker_of, standing_of
from sessioncache.importers.models import Problem, Source, SourceSession, Unreadable
from sessioncache.importers.report import Outcome, Report
from sessioncache.retention.models import RetentionPolicy
from sessioncache.sessions.models import Session
from sessioncache.types import Base, check_session_id

__all__ = ["Existing", "Import", "ImportStopped", "OnError", "Target"]

S = TypeVar("S", bound=SourceSession)
S_contra = TypeVar("S_contra", bound=SourceSession, contravariant=True)

TRIES = 20

REFUSALS = (InvalidArgument, LimitExceeded, DataError, Conflict)
"""What is wrong with one session; any other error ends the import."""


class Existing(StrEnum):
    """What happens to sessions that are there already."""

    skip = "skip"
    overwrite = "overwrite"
    fail = "fail"


class OnError(StrEnum):
    """What happens at something that cannot be imported."""

    stop = "stop"
    skip = "skip"


class ImportStopped(Exception):
    """The import ended at something that cannot be imported, or that is there already."""

    def __init__(self, problem: Problem, remedy: str) -> None:
        super().__init__(f"{problem.name}: {problem.why}; {remedy}")
        self.problem = problem


class Target(Protocol[S_contra]):
    """Where sessions of one format go to: the store of the same contract."""

    def check(self, source: S_contra) -> None:
        """Refuse what the store would refuse, without asking it.

        Raises:
            InvalidArgument, LimitExceeded: why.
        """

    def opening(self, source: S_contra) -> Session:
        """The record that the session's first write makes."""

    async def write(self, source: S_contra) -> None:
        """Write everything of the session, which is there already, and empty."""

    async def count(self, source: S_contra) -> Mapping[str, int]:
        """How many of each kind there are in the store."""


class Import(Generic[S]):
    """One run: a source, a target, and what to do where it does not go smoothly."""

    def __init__(
        self,
        source: Source[S],
        target: Target[S],
        cache: AsyncSessionCache | None,
        *,
        form: str,
        existing: Existing = Existing.skip,
        on_error: OnError = OnError.stop,
        dry_run: bool = False,
    ) -> None:
        """Prepare a run.

        Args:
            source: where sessions come from.
            target: where they go to; over the same cache.
            cache: the namespace. None, in a dry run: there is no such namespace yet.
            form: name of the format.
            existing: what happens to sessions that are there already.
            on_error: what happens at something that cannot be imported.
            dry_run: whether nothing is written.
        """
        self._source = source
        self._target = target
        self._cache = cache
        self._form = form
        self._existing = existing
        self._stop = on_error is OnError.stop
        self._dry = dry_run
        self._seen: dict[str, str] = {}
        self._most: dict[str, int] = {}
        self.report = Report(form, source.name, dry_run)
        """What has been done so far."""

    async def run(self, step: Callable[[], object] = lambda: None) -> Report:
        """Import every session, one after another.

        Args:
            step: called after each.

        Raises:
            ImportStopped: something cannot be imported, or is there already; `report` says how far it came.
        """
        if self._cache is not None:
            self._most = _kept_by(await self._cache.retention.get())
        async for found in self._source.sessions():
            if isinstance(found, Unreadable):
                self._fail(Problem(found.name, found.why, "sessions"))
            else:
                await self._session(found)
            step()
        self.report.notes += self._source.notes()
        return self.report

    async def _session(self, source: S) -> None:
        try:
            self._check(source)
            found = None
            if self._cache is not None:
                found = await self._cache.documents.get(source.id, MARKER)
            standing = Standing.ABSENT if found is None else standing_of(found, source, self._form)
            base = Base() if found is None else Base(found.gen, found.revision)
            await self._decide(source, standing, base)
        except REFUSALS as error:
            self._fail(Problem(source.name, str(error), "sessions"))

    def _check(self, source: S) -> None:
        """Refuse what would fail when it is written, and count what is bad in it."""
        check_session_id(source.id)
        first = self._seen.setdefault(source.id, source.name)
        if first is not source.name:
            raise InvalidArgument(f"has the same id {source.id!r} as {first}; one of the two has to go")
        self._target.check(source)
        self.report.notes += source.notes
        self.report.add("skipped", source.skipped)
        for problem in source.problems:
            self._fail(problem)

    async def _decide(self, source: S, standing: Standing, base: Base) -> None:
        if standing is Standing.COMPLETE:
            self._count("already_there", source)
        elif standing in (Standing.FOREIGN, Standing.DIVERGED) and self._existing is not Existing.overwrite:
            self._leave(source, standing)
        else:
            if not self._dry:
                await self._import(source, standing, base)
            self.report.updated += standing is Standing.OUTDATED
            self.report.resumed += standing is Standing.PARTIAL
            self._count("imported", source)

    def _leave(self, source: S, standing: Standing) -> None:
        why = f"session {source.id!r} is there already, and not from an import of this source"
        if standing is Standing.DIVERGED:
            why = (
                f"session {source.id!r} was imported; since then both its source and the session have changed, or this "
                "is an older copy of the source"
            )
        conflict = Problem(source.name, why, "sessions")
        if self._existing is Existing.fail:
            raise ImportStopped(conflict, "--existing skip leaves such sessions, --existing overwrite replaces them")
        self.report.conflicts.append(conflict)
        self.report.add("skipped", {"sessions": 1, **source.counts})

    async def _import(self, source: S, standing: Standing, base: Base) -> None:
        if self._cache is None:
            raise ConfigurationError("an import that writes needs a cache")
        if standing is not Standing.ABSENT:
            await self._cache.sessions.delete(source.id, base=base)
        record = self._target.opening(source)
        try:
            await self._cache.sessions.save(
                record, documents={MARKER: marker_of(source, self._form)}, base=Base(revision=0)
            )
        except VersionConflict:
            raise Conflict(f"somebody else made session {source.id!r} at this moment; run the import again") from None
        try:
            await self._target.write(source)
        except (InvalidArgument, LimitExceeded):
            # It can never become whole, and half of it is of no use to anybody.
            await self._cache.sessions.delete(source.id, base=Base(gen=record.gen))
            raise
        await self._verify(source)
        await self._finish(self._cache, source, record.gen)
        self.report.verified += 1

    async def _verify(self, source: S) -> None:
        """Count what is in the store now.

        Raises:
            Conflict: it is not what was written.
        """
        counts = {kind: count for kind, count in (await self._target.count(source)).items() if count}
        wanted = {kind: count for kind, count in self._wanted(source).items() if count}
        if counts != wanted:
            raise Conflict(
                f"session {source.id!r} has {_told(counts)} in the store, and {_told(wanted)} at its source: somebody "
                "else writes to it; it stays marked as unfinished"
            )

    def _wanted(self, source: S) -> dict[str, int]:
        """What the namespace keeps of the source's parts."""
        return {kind: min(count, self._most.get(kind, count)) for kind, count in source.counts.items()}

    def _count(self, outcome: Outcome, source: S) -> None:
        wanted = self._wanted(source)
        self.report.add(outcome, {"sessions": 1, **wanted})
        dropped = {kind: count - wanted[kind] for kind, count in source.counts.items() if count > wanted[kind]}
        if dropped:
            self.report.add("skipped", dropped)
            self.report.notes.append(f"{source.name}: by the retention policy the oldest {_told(dropped)} are not kept")

    async def _finish(self, cache: AsyncSessionCache, source: S, gen: str | None) -> None:
        """Mark the session as complete, and give it the source's time."""
        disturbed = False
        for _ in range(TRIES):
            session = await cache.sessions.get(source.id)
            if session is None or session.gen != gen:
                raise SessionGone(f"session {source.id!r} was deleted while it was imported")
            marker = marker_of(source, self._form, complete=True, revision=None if disturbed else session.revision + 1)
            try:
                await cache.sessions.save(
                    session,
                    documents={MARKER: marker},
                    updated_at=source.updated_at,
                    base=Base(session.gen, session.revision),
                )
            except VersionConflict:
                disturbed = True
            else:
                return
        raise Conflict(f"others wrote to session {source.id!r} each of the {TRIES} times it was to be completed")

    def _fail(self, problem: Problem) -> None:
        self.report.fail(problem)
        if self._stop:
            raise ImportStopped(problem, "--on-error skip leaves it out and goes on")


def _kept_by(policy: RetentionPolicy) -> dict[str, int]:
    """The most of each kind that a session may have before its oldest go."""
    most = {"checkpoints": policy.keep_checkpoints, "traces": policy.keep_traces, "usage": policy.keep_usage}
    return {kind: count for kind, count in most.items() if count}


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing"
