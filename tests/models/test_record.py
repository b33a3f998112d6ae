"""The record against a model: merging saves, edits, deletes, new incarnations, documents, expiry, lists and totals.

`SESSIONCACHE_MODELS=deep` plays more, and other games at every run; see `profile.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from sessioncache import UNSET, Session
from tests.engines import Engine
from tests.models.machine import IDS, TTLS_MS, Game, bases, play, users

ids = st.sampled_from(IDS)
texts = st.sampled_from(["", "one", "zwei", "três"])
json_values = st.sampled_from([0, "x", [1, {"y": None}], {"deep": {"er": "é"}}, False])
groups = st.dictionaries(st.sampled_from(["k", "l:", "ü"]), json_values, max_size=2)
edits = st.dictionaries(st.sampled_from(["k", "l:", "ü"]), st.none() | json_values, max_size=2)
label_sets = st.dictionaries(st.sampled_from(["run", "kind"]), texts, max_size=2)
messages = st.lists(st.sampled_from([{"n": 1}, {"text": "é" * 9}, {}]), max_size=2)
document_sets = st.dictionaries(st.sampled_from(["state", "graph", "x:y", "z"]), st.none() | json_values, max_size=3)
update_sets = st.dictionaries(st.sampled_from(["u1", "u2", "u:3", "u4"]), st.none() | json_values, max_size=3)


class RecordGame(Game):
    """Saves, edits and deletes of whole sessions."""

    @rule(
        session_id=ids,
        user=users,
        version=st.integers(-1, 1) | st.integers(0, 4),
        around=st.booleans(),
        title=st.none() | texts,
        pinned=st.booleans(),
        auth=groups,
        host=groups,
        meta=groups,
        labels=label_sets,
        status=st.none() | texts,
        base=bases,
    )
    def save(
        self,
        *,
        session_id: str,
        user: str | None,
        version: int,
        title: str | None,
        auth: dict[str, Any],
        host: dict[str, Any],
        meta: dict[str, Any],
        labels: dict[str, str],
        status: str | None,
        base: str,
        around: bool,
        pinned: bool,
    ) -> None:
        """A runtime save, with a version below, at or above the stored one."""
        kept = self.store.sessions.get(session_id)
        stored = kept.group["metadata_version"] if kept and around else 0
        session = Session(
            id=session_id,
            user=user,
            title=title,
            title_version=max(version, 0),
            pinned=pinned,
            metadata_version=max(stored + version, 0),
            authoritative=auth,
            host=host,
            metadata=meta,
            labels=labels,
            status=status,
            parent=status,
        )
        self.write("save", session_id, session, base=base)

    @rule(
        session_id=ids,
        given=messages,
        documents=document_sets,
        updates=update_sets,
        past=st.integers(-5, 5),
        keep=st.booleans(),
        base=bases,
    )
    def save_whole(
        self,
        *,
        session_id: str,
        given: list[dict[str, Any]],
        documents: dict[str, Any],
        updates: dict[str, Any],
        past: int,
        base: str,
        keep: bool,
    ) -> None:
        """A save of everything at once, with a time of the caller's own."""
        options: dict[str, Any] = {"messages": given, "documents": documents, "updates": updates, "keep_runtime": keep}
        options["updated_ms"] = None if past == 0 else self.store.now_ms - past * 100
        self.write("save", session_id, Session(id=session_id), base=base, **options)

    @rule(
        session_id=ids,
        title=st.just(UNSET) | st.none() | texts,
        pinned=st.just(UNSET) | st.booleans(),
        auth=edits,
        host=edits,
        meta=edits,
        labels=label_sets,
        status=st.just(UNSET) | st.none() | texts,
        user=st.sampled_from([UNSET, UNSET, "ann", "bob:{*}"]),
        base=bases,
    )
    def update(
        self,
        *,
        session_id: str,
        auth: dict[str, Any],
        host: dict[str, Any],
        meta: dict[str, Any],
        labels: dict[str, str],
        base: str,
        **texts: Any,
    ) -> None:
        """An edit of some fields: left, cleared or set."""
        options = texts | {"authoritative": auth, "host": host, "metadata": meta, "labels": labels}
        self.write("update", session_id, base=base, **options)

    @rule(session_id=ids, values=document_sets.filter(bool), user=users, base=bases)
    def document(self, session_id: str, values: dict[str, Any], user: str | None, base: str) -> None:
        """Documents are set and removed."""
        self.write("document", session_id, values, base=base, user=user)

    @rule(session_id=ids, ttl=st.none() | st.sampled_from(TTLS_MS), base=bases)
    def retain(self, session_id: str, ttl: int | None, base: str) -> None:
        """A session gets a retention of its own, or gives it back."""
        self.write("retain", session_id, base=base, ttl_ms=ttl)

    @rule(ttl=st.sampled_from(TTLS_MS), messages=st.sampled_from([0, 1, 6]), entries=st.sampled_from([0, 1, 3]))
    def change_policy(self, ttl: int, messages: int, entries: int) -> None:
        """The namespace's policy becomes stricter or looser, for what is written from now on."""
        given = {"ttl_ms": ttl, "quota_messages": messages, "quota_entries": entries}
        self.store.policy = self.store.policy.model_copy(update=given)
        self.opened.retention.save(self.store.policy)

    @rule(session_id=ids, base=bases)
    def delete(self, session_id: str, base: str) -> None:
        """A session goes, with everything."""
        self.write("delete", session_id, base=base)

    @rule(session_id=ids)
    def get(self, session_id: str) -> None:
        """A reader sees the record as the model has it, and slides its deadline where the policy says so."""
        found, kept = self.opened.sessions.get(session_id), self.store.read(session_id)
        assert (found is None) == (kept is None)


@pytest.mark.engines("valkey", "redis", "cluster")
@pytest.mark.timeout(300)
def test_records_are_as_the_model_says(engine: Engine) -> None:
    """Whatever is done to records, every answer, list and total is the one of a dict of sessions in Python."""
    play(RecordGame, engine, games=25 if engine.kind == "cluster" else 60)
