"""Rooms against a model: questions, context updates and checkpoints; traces and token usage; workspaces.

`SESSIONCACHE_MODELS=deep` plays more, and other games at every run; see `profile.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from sessioncache import UNSET
from tests.engines import Engine
from tests.models.machine import IDS, START_MS, Game, Step, bases, play, users
from tests.models.product import plain
from tests.models.rooms import ENTRY, RoomStore
from tests.models.store import Kept, Reply, Store

pytestmark = [pytest.mark.engines("valkey", "redis", "cluster"), pytest.mark.timeout(300)]

ids = st.sampled_from(IDS[:2])
entry_ids = st.sampled_from(["1", "q:{2}", "drei", "4", "1" * 8 + "-aaaa-4aaa-8aaa-" + "a" * 12])
values = st.sampled_from([0, "x", [1, {"y": None}], {"deep": {"er": "é"}}])
scores = st.integers(1, 5)
flags = st.dictionaries(st.sampled_from(["a", "b"]), st.booleans(), max_size=2)
texts = st.sampled_from(["", "eins", "zwö"])
workspaces = st.sampled_from(["w", "W:{x}", "ü"])
roles = st.sampled_from(["Primary", "Related", "Dependency", "Shared"])
optional_fields = {
    "context": texts,
    "feedback_text": texts,
    "feedback_score": scores,
    "memify_metadata": flags,
    "used_session_context_ids": st.lists(texts, max_size=2),
    "used_graph_element_ids": st.just({"node_ids": ["n"], "edge_ids": []}),
}
questions = st.fixed_dictionaries(
    {"id": entry_ids, "question": texts, "answer": texts},
    optional=optional_fields | {"own": values, "created_ms": st.integers(START_MS - 9, START_MS)},
)
changes = st.fixed_dictionaries(
    {
        "question": st.just(UNSET) | texts,
        **{name: st.just(UNSET) | st.none() | of for name, of in optional_fields.items()},
    }
)


class RoomGame(Game):
    """A game with rooms."""

    model: type[Store] = RoomStore
    policy: ClassVar[dict[str, int]] = {"keep_checkpoints": 3, "keep_traces": 4, "keep_usage": 3}

    @property
    def rooms(self) -> RoomStore:
        """The model."""
        assert isinstance(self.store, RoomStore)
        return self.store

    @rule(session_id=ids, base=bases)
    def delete(self, session_id: str, base: str) -> None:
        """The session goes."""
        self.write("delete", session_id, base=base)


class EntryGame(RoomGame):
    """Rooms of entries by their ids."""

    @rule(session_id=ids, entries=st.lists(questions, min_size=1, max_size=2), user=users, base=bases)
    def ask(self, session_id: str, entries: list[Reply], user: str | None, base: str) -> None:
        """Questions are put in, new or again."""
        self.write("ask", session_id, entries, user=user, base=base)

    @rule(
        session_id=ids,
        entry=entry_ids,
        given=changes,
        own=st.dictionaries(st.sampled_from(["own", "k"]), st.none() | values, max_size=2),
        base=bases,
    )
    def answer(self, session_id: str, entry: str, given: Reply, own: Reply, base: str) -> None:
        """Fields of a question are left, cleared or set."""
        self.write("answer", session_id, entry, extra=own, base=base, **given)

    @rule(session_id=ids, entry=entry_ids, base=bases)
    def unask(self, session_id: str, entry: str, base: str) -> None:
        """A question goes."""
        self.write("unask", session_id, entry, base=base)

    @rule(session_id=ids, given=st.dictionaries(entry_ids, values, min_size=1, max_size=3), user=users, base=bases)
    def context(self, session_id: str, given: Reply, user: str | None, base: str) -> None:
        """Context updates are put in."""
        self.write("context", session_id, given, user=user, base=base)

    @rule(session_id=ids, given=st.lists(entry_ids, max_size=2, unique=True), base=bases)
    def uncontext(self, session_id: str, given: list[str], base: str) -> None:
        """Context updates go."""
        self.write("uncontext", session_id, given, base=base)

    @rule(session_id=ids, entry=entry_ids, value=values, user=users, base=bases)
    def checkpoint(self, session_id: str, entry: str, value: object, user: str | None, base: str) -> None:
        """A checkpoint is kept, and an old one dropped."""
        self.write("checkpoint", session_id, entry, value, user=user, base=base)

    def compare_session(self, session_id: str, kept: Kept | None) -> None:
        """The rooms of the session."""
        rooms = kept.rooms if kept else {}
        found = {entry.id: _fields(entry.model_dump(exclude={"id"})) for entry in self.opened.qa.each(session_id)}
        assert list(found.items()) == list(rooms.get("qa", {}).items())
        updates = [(entry.id, entry.update) for entry in self.opened.context.each(session_id)]
        assert updates == list(rooms.get("updates", {}).items())
        last = [entry.id for entry in self.opened.context.list(session_id, last=2)]
        assert last == list(rooms.get("updates", {}))[-2:]
        assert self.opened.qa.count(session_id) == len(rooms.get("qa", {}))
        checkpoints = [(one.id, one.snapshot) for one in self.opened.checkpoints.list(session_id)]
        assert checkpoints == [(name, one["snapshot"]) for name, one in rooms.get("checkpoints", {}).items()]

    def compare_indexes(self) -> None:
        """Checkpoints are found through the links, too."""
        super().compare_indexes()
        live = self.store.live().values()
        there = {name for kept in live for name in kept.rooms.get("checkpoints", {})}
        listed = [one.id for one in self.opened.checkpoints.list_all()]
        assert listed == sorted(there, key=str.encode)
        for name in ("1", "q:{2}", "drei"):
            assert (self.opened.checkpoints.find(name) is not None) == (name in there)


class LogGame(RoomGame):
    """Rooms that are only appended to."""

    @rule(
        session_id=ids,
        steps=st.lists(st.fixed_dictionaries({"n": values}), min_size=1, max_size=3),
        user=users,
        base=bases,
    )
    def trace(self, session_id: str, steps: list[Reply], user: str | None, base: str) -> None:
        """Steps are traced."""
        self.write("trace", session_id, steps, user=user, base=base)

    @rule(
        session_id=ids,
        lines=st.lists(
            st.fixed_dictionaries({"model": st.sampled_from(["m", "n:ü"]), "input_tokens": st.integers(0, 9)}),
            min_size=1,
            max_size=3,
        ),
        create=st.booleans(),
        user=users,
        base=bases,
    )
    def use(self, *, session_id: str, lines: list[Reply], create: bool, user: str | None, base: str) -> None:
        """Token usage is logged."""
        self.write("use", session_id, lines, create=create, user=user, base=base)

    def compare_session(self, session_id: str, kept: Kept | None) -> None:
        """The logs of the session."""
        rooms = kept.rooms if kept else {}
        traced = {str(one.position): {"ms": one.ms, "value": one.step} for one in self.opened.traces.each(session_id)}
        assert traced == rooms.get("traces", {})
        used = {str(one.position): {"ms": one.ms, "value": one.record} for one in self.opened.usage.each(session_id)}
        assert used == rooms.get("usage", {})
        last = [str(one.position) for one in self.opened.traces.list(session_id, last=2)]
        assert last == list(rooms.get("traces", {}))[-2:]
        usage = self.opened.usage.totals(session_id)
        assert (usage.exists, usage.lines) == (kept is not None, kept.positions.get("usage", 0) if kept else 0)
        sums = {model: sums.input_tokens for model, sums in usage.by_model.items()}
        assert sums == (kept.sums if kept else {})


class WorkspaceGame(RoomGame):
    """Sessions come and go in workspaces."""

    @rule(session_id=ids, workspace=workspaces, role=roles, keep=st.booleans(), user=users, base=bases)
    def join(self, *, session_id: str, workspace: str, role: str, keep: bool, user: str | None, base: str) -> None:
        """A session becomes a member, or gets another role."""
        self.write("join", session_id, workspace, role, keep_role=keep, user=user, base=base)

    @rule(session_id=ids, workspace=workspaces, base=bases)
    def leave(self, session_id: str, workspace: str, base: str) -> None:
        """A session is a member no more."""
        self.write("leave", session_id, workspace, base=base)

    @rule(workspace=workspaces, name=texts, sessions=st.lists(ids, max_size=3))
    def name_workspace(self, workspace: str, name: str, sessions: list[str]) -> None:
        """A workspace gets a name, and members. Quotas do not stop it half-way in this game."""
        if not self.store.policy.quota_entries:
            self.opened.workspaces.save(workspace, name=name, session_ids=sessions)
            self.rooms.name_workspace(workspace, name, sessions)
            self.learn()

    @rule(workspace=workspaces)
    def drop_workspace(self, workspace: str) -> None:
        """A workspace goes, and its members stay sessions."""
        assert self.opened.workspaces.delete(workspace) == self.rooms.drop_workspace(workspace)

    def send(self, step: Step) -> None:
        """A write whose reply does not tell the incarnation."""
        super().send(step)
        self.learn()

    def learn(self) -> None:
        """Ask which incarnations were created."""
        for session_id, kept in self.store.live().items():
            found = self.opened.sessions.get(session_id) if not kept.gen else None
            if found is not None:
                assert found.gen not in self.gens
                kept.gen = str(found.gen)
                self.gens.append(kept.gen)
                self.store.read(session_id)

    def compare_session(self, session_id: str, kept: Kept | None) -> None:
        """The workspaces of the session."""
        mine = kept.rooms.get("workspaces", {}) if kept else {}
        found = {
            one.workspace_id: plain({"role": str(one.role), "added_at": one.added_at}) for one in self.of(session_id)
        }
        assert found == mine

    def of(self, session_id: str) -> Any:  # noqa: ANN401 - a list of members
        """What the session says."""
        return self.opened.workspaces.of_session(session_id)

    def compare_indexes(self) -> None:
        """The workspaces, by name and through the links."""
        super().compare_indexes()
        listed = {one.id: one for one in self.opened.workspaces.list()}
        assert list(listed) == sorted(self.rooms.workspaces)
        for name in ("w", "W:{x}", "ü"):
            told = self.rooms.members(name)
            assert [_member(one) for one in self.opened.workspaces.members(name)] == told
            stored = self.rooms.workspaces.get(name)
            if stored is not None:
                assert [_member(one) for one in listed[name].members] == told
                about = plain({"name": listed[name].name, "created_at": listed[name].created_at})
                assert about == {"name": stored["name"], "created_ms": stored["created_ms"]}


def _member(found: Any) -> tuple[int, str, str]:  # noqa: ANN401 - one of the members
    told = plain({"added_at": found.added_at})
    return told["added_ms"], found.session_id, str(found.role)


def _fields(dumped: Reply) -> Reply:
    """A question's fields; those of a user's own are where they are given."""
    found = plain(dumped)
    assert ENTRY.keys() <= found.keys()
    return found


def test_entries_are_as_the_model_says(engine: Engine) -> None:
    """Whatever is done to questions, updates and checkpoints, every answer and list is that of a dict in Python."""
    play(EntryGame, engine, games=20 if engine.kind == "cluster" else 40)


def test_logs_are_as_the_model_says(engine: Engine) -> None:
    """Whatever is appended to traces and usage logs, every position and sum is that of a list in Python."""
    play(LogGame, engine, games=15 if engine.kind == "cluster" else 30)


def test_workspaces_are_as_the_model_says(engine: Engine) -> None:
    """Whoever comes and goes, is deleted or expires, every workspace has the members that the model has."""
    play(WorkspaceGame, engine, games=15 if engine.kind == "cluster" else 30)
