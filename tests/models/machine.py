"""A game: the same steps on cache and model, answer against answer, and at the end everything against everything.

The rule of this module: it draws nothing itself but bases and clocks; what is played is in the files of tests.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sessioncache import Base, RetentionPolicy, SessionCache, SessionCacheError
from sessioncache.testing import check_keys
from sessioncache.wire.keys import ROOMS, escape
from tests.engines import Engine, list_keys
from tests.engines.caches import make_sync_cache
from tests.engines.raw import client_for
from tests.models.product import DO, plain, record_of
from tests.models.profile import game
from tests.models.store import Kept, Refused, Reply, Store

__all__ = ["IDS", "START_MS", "Game", "Step", "bases", "play", "users"]

START_MS = 2_300_000_000_000
"""In 2042: the games have a clock of their own, and no key expires by itself while they are played."""
SHARDS = 2
IDS = ("a", "B:{c}*%41", "é \u200b~")
TTLS_MS = (0, 1_000, 60_000, 86_400_000)

users = st.sampled_from([None, None, "ann", "bob:{*}", "default"])
bases = st.sampled_from([*["none"] * 6, "gen", "old gen", "revision", "old revision", "fence"])


@dataclass
class Step:
    """One write of the game, so that it can be sent again."""

    name: str
    session_id: str
    given: tuple[Any, ...]
    options: Reply = field(default_factory=dict)


class Game(RuleBasedStateMachine):
    """The cache and its model, side by side."""

    engine: Engine
    model: type[Store] = Store
    policy: ClassVar[dict[str, int]] = {}
    """More of the namespace's policy."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: SessionCache | None = None
        self.numbers = itertools.count(1)
        self.steps: list[Step] = []
        self.gens: list[str] = []
        self.differs = False

    @initialize(
        ttl=st.sampled_from(TTLS_MS),
        keep_pinned=st.booleans(),
        slide=st.booleans(),
        messages=st.sampled_from([0, 0, 6]),
        entries=st.sampled_from([0, 0, 3]),
    )
    def begin(self, *, ttl: int, keep_pinned: bool, slide: bool, messages: int, entries: int) -> None:
        """A fresh namespace with a policy."""
        policy = RetentionPolicy(
            ttl_ms=ttl,
            keep_pinned=keep_pinned,
            slide_on_read=slide,
            quota_messages=messages,
            quota_entries=entries,
            **self.policy,
        )
        self.store = self.model(policy, START_MS)
        self.opened = make_sync_cache(self.engine, f"t-{secrets.token_hex(6)}", shards=SHARDS).open()
        self.cache = self.opened
        self.cache.keys.now_override_ms = START_MS
        self.cache.retention.save(policy)

    def base(self, kind: str, session_id: str) -> Base:
        """A base of that kind for a session as it stands."""
        kept = self.store.sessions.get(session_id)
        gen = kept.gen if kept else "0"
        revision = kept.revision if kept else 0
        return {
            "gen": Base(gen=gen if kept else None),
            "old gen": Base(gen=next((old for old in self.gens if old != gen), "0")),
            "revision": Base(revision=revision),
            "old revision": Base(revision=revision + 1 if revision < 2 else revision - 1),
            "fence": Base(fence=len(self.gens) % 3),
        }.get(kind, Base())

    def write(self, name: str, session_id: str, *given: Any, base: str = "none", **options: Any) -> None:
        """One write on both sides."""
        operation = f"step {next(self.numbers)}"
        step = Step(name, session_id, given, options | {"base": self.base(base, session_id), "operation_id": operation})
        self.steps.append(step)
        self.send(step)

    def send(self, step: Step) -> None:
        """Send a write, for the first time or again: both sides answer the same."""
        method = getattr(self.store, step.name)
        subject = () if step.name == "save" else (step.session_id,)
        expected = _outcome(lambda: method(*subject, *step.given, **step.options))
        found = _outcome(lambda: DO[step.name](self.opened, step.session_id, *step.given, **step.options))
        if isinstance(found, dict) and isinstance(expected, dict):
            if found.get("gen") and expected.get("gen") == "":
                assert found["gen"] not in self.gens
                self.gens.append(found["gen"])
                self.store.sessions[step.session_id].gen = expected["gen"] = found["gen"]
            if "repeated" not in found:
                expected = {name: value for name, value in expected.items() if name != "repeated"}
        if found != expected:
            self.differs = True
        assert found == expected, (found, expected, step)

    @rule(at=st.integers(1, 24))
    def repeat(self, at: int) -> None:
        """A write of lately is sent again under its operation id, as it was."""
        if self.steps:
            self.send(self.steps[-min(at, len(self.steps))])

    @rule(ms=st.sampled_from([1, 7, 40, 60, 500, 1_000, 3_100, 60_000]))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.store.now_ms += ms
        self.opened.keys.now_override_ms = self.store.now_ms

    @rule(shard=st.integers(0, SHARDS - 1))
    def sweep(self, shard: int) -> None:
        """A worker comes by and removes what is past its deadline."""
        mine = [name for name in self.store.sessions if self.opened.keys.shard_of(name) == shard]
        overdue = [name for name in mine if self.store.is_past(name)]
        assert sorted(name for name, _late in self.opened.upkeep.due(shard, limit=500)) == sorted(overdue)
        for name in sorted(overdue):
            (swept,) = self.opened.upkeep.expire(shard, [name])
            assert not isinstance(swept, SessionCacheError)
            assert swept.outcome == "expired"
            self.store.sweep_one(name)

    @rule()
    def look(self) -> None:
        """Somebody looks at everything in between."""
        self.compare()

    def teardown(self) -> None:
        """Everything against everything, then every key of the server."""
        if self.cache is None:
            return
        try:
            if not self.differs:
                self.compare()
        finally:
            self.cache.close()
            self.engine.flush()

    def compare(self) -> None:
        """Compare all that can be read."""
        self.compare_sums()
        for session_id in IDS:
            kept = self.store.read(session_id)
            found = self.opened.sessions.get(session_id)
            assert (found and record_of(found)) == (kept and kept.record())
            assert self.opened.sessions.exists(session_id) == (kept is not None)
            self.compare_session(session_id, kept)
        self.compare_sums()
        assert check_keys(list_keys(self.engine), shards=SHARDS) == []
        self.compare_indexes()

    def compare_session(self, session_id: str, kept: Kept | None) -> None:
        """What the session has beside its record; each reading slides as the policy says, at one moment and so once."""
        entries = kept.entries if kept else []
        page = self.opened.transcripts.list(session_id)
        assert [{"seq": entry.seq, "ms": entry.ms, "message": entry.message} for entry in page] == entries
        assert (page.exists, page.count, page.revision) == (
            kept is not None,
            len(entries),
            kept.revision if kept else 0,
        )
        newest = [entry.seq for entry in self.opened.transcripts.list(session_id, last=2)]
        assert newest == [entry["seq"] for entry in entries[-2:]]
        ranged = [entry.seq for entry in self.opened.transcripts.list(session_id, start=2, stop=5)]
        assert ranged == [entry["seq"] for entry in entries if 2 <= entry["seq"] <= 5]
        assert self.opened.documents.get(session_id).values == (kept.documents if kept else {})

    def compare_sums(self) -> None:
        """Lists, counts and totals."""
        live, store = self.store.live(), self.store
        ordered = sorted(live, key=lambda name: (live[name].updated_ms, escape(name)))
        oldest = self.opened.sessions.list(order="oldest", limit=2)
        rest = self.opened.sessions.list(order="oldest", cursor=oldest.cursor) if oldest.cursor else ()
        assert [summary.id for summary in (*oldest, *rest)] == ordered
        lines = [plain({name: getattr(line, name) for name in line.__slots__}) for line in self.opened.sessions.list()]
        assert lines == [_line(name, live[name]) for name in reversed(ordered)]
        for user in ("default", "ann", "bob:{*}"):
            owned = [name for name in reversed(ordered) if live[name].user == user]
            assert [summary.id for summary in self.opened.sessions.list(user=user)] == owned
            assert self.opened.sessions.count(user=user) == len(owned)
        assert self.opened.sessions.count() == len(live)
        stats = self.opened.stats.get()
        for room in ROOMS:
            assert stats.rooms.get(room, 0) == sum(kept.count(room) for kept in store.sessions.values())
        assert (stats.sessions, stats.overdue, stats.changes, stats.messages, stats.bytes) == (
            len(live),
            len(store.sessions) - len(live),
            len(store.feed),
            sum(len(kept.entries) for kept in store.sessions.values()),
            sum(kept.bytes for kept in store.sessions.values()),
        )

    def compare_indexes(self) -> None:
        """The feed in the order of commits, and the shard's own keys, member by member."""
        keys = self.opened.keys
        for shard in keys:
            mine = {name: kept for name, kept in self.store.sessions.items() if keys.shard_of(name) == shard.index}
            told = [change for change in self.store.feed if keys.shard_of(change[1]) == shard.index]
            newest, changes = self.opened.upkeep.changes(shard.index, after=0, limit=1_000)
            assert [(change.kind, change.session_id, change.revision) for change in changes] == told
            assert newest == len(told)
            deadlines = {escape(name): float(kept.deadline_ms) for name, kept in mine.items() if kept.deadline_ms}
            listed = {escape(name): float(kept.updated_ms) for name, kept in mine.items()}
            owners = {f"{kept.user}\0{escape(name)}": 0.0 for name, kept in mine.items()}
            assert self.scores(shard.deadlines) == deadlines
            assert self.scores(shard.by_updated) == listed
            assert self.scores(shard.by_user) == owners
            assert self.scores(shard.links) == {row: 0.0 for name, kept in mine.items() for row in links_of(name, kept)}

    def scores(self, key: str) -> dict[str, float]:
        """A sorted set, past the product."""
        with client_for(self.engine, key) as client:
            found: Any = client.zrange(key, 0, -1, withscores=True)
            return {member.decode(): score for member, score in found}


def links_of(session_id: str, kept: Kept) -> list[str]:
    """The rows that a session has in its shard's links."""
    things = [("c", name) for name in kept.rooms.get("checkpoints", {})]
    things += [("w", escape(name)) for name in kept.rooms.get("workspaces", {})]
    return [f"{kind}\0{thing}\0{escape(session_id)}" for kind, thing in things]


def play(machine: type[Game], engine: Engine, *, games: int, steps: int = 50) -> None:
    """Play a model on an engine."""
    played = type(machine.__name__, (machine,), {"engine": engine})
    run_state_machine_as_test(played, settings=game(games=games, steps=steps))


def _line(session_id: str, kept: Kept) -> Reply:
    """A session as lists show it."""
    record = kept.record()
    names = ("gen", "revision", "messages", "bytes", "created_ms", "updated_ms", "deadline_ms", "user", "parent")
    more = ("status", "title", "pinned")
    return {"id": session_id, "labels": {}} | {name: record[name] for name in (*names, *more)}


def _outcome(do: Callable[[], object]) -> object:
    """What came of it: an answer, or the class of the error."""
    try:
        return do()
    except Refused as refused:
        return refused.error
    except SessionCacheError as error:
        return type(error)
