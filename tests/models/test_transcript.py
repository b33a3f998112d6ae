"""The transcript against a model: appends, replacements whole or up to a number, pops, trims, under repeats and expiry.

`SESSIONCACHE_MODELS=deep` plays more, and other games at every run; see `profile.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from sessioncache import RetentionPolicy, Session
from sessioncache.upkeep import Trimmed
from tests.engines import Engine
from tests.models.machine import IDS, Game, bases, play, users

ids = st.sampled_from(IDS[:2])
messages = st.lists(st.sampled_from([{"n": 1}, {"text": "é" * 9}, {}, {"n": [0, None]}]), max_size=4)
throughs = st.none() | st.integers(0, 30)


class TranscriptGame(Game):
    """Writers, summarisers and trimmers of a few transcripts."""

    @rule(session_id=ids, given=messages.filter(bool), user=users, base=bases)
    def append(self, session_id: str, given: list[dict[str, Any]], user: str | None, base: str) -> None:
        """New messages at the end."""
        self.write("append", session_id, given, base=base, user=user)

    @rule(session_id=ids, given=messages, through=throughs, near=st.booleans(), user=users, base=bases)
    def replace(
        self,
        session_id: str,
        given: list[dict[str, Any]],
        through: int | None,
        user: str | None,
        base: str,
        *,
        near: bool,
    ) -> None:
        """A new transcript, whole or up to a number."""
        self.write(
            "replace", session_id, given, base=base, user=user, through=self.place(session_id, through, near=near)
        )

    @rule(session_id=ids, given=messages, through=throughs, near=st.booleans(), base=bases)
    def save(self, session_id: str, given: list[dict[str, Any]], through: int | None, base: str, *, near: bool) -> None:
        """The same in a save of the whole session."""
        options: dict[str, Any] = {"messages": given, "through": self.place(session_id, through, near=near)}
        self.write("save", session_id, Session(id=session_id), base=base, **options)

    def place(self, session_id: str, through: int | None, *, near: bool) -> int | None:
        """A sequence number, on request near the end of the transcript."""
        kept = self.store.sessions.get(session_id)
        return through if through is None or kept is None or not near else max(0, kept.seq - through % 5)

    @rule(session_id=ids, base=bases)
    def pop(self, session_id: str, base: str) -> None:
        """The last message goes."""
        self.write("pop", session_id, base=base)

    @rule(session_id=ids, base=bases)
    def clear(self, session_id: str, base: str) -> None:
        """All messages go."""
        self.write("clear", session_id, base=base)

    @rule(session_id=ids, base=bases)
    def delete(self, session_id: str, base: str) -> None:
        """The session goes."""
        self.write("delete", session_id, base=base)

    @rule(session_id=ids, keep=st.integers(1, 5))
    def trim(self, session_id: str, keep: int) -> None:
        """A worker trims."""
        shard = self.opened.keys.shard_of(session_id)
        (trimmed,) = self.opened.upkeep.trim(shard, [session_id], RetentionPolicy(keep_messages=keep))
        assert isinstance(trimmed, Trimmed)
        assert trimmed.messages == self.store.trim(session_id, keep)

    @rule(session_id=ids)
    def read(self, session_id: str) -> None:
        """A reader sees what the model has, and slides the deadline where the policy says so."""
        self.compare_session(session_id, self.store.read(session_id))


@pytest.mark.engines("valkey", "redis", "cluster")
@pytest.mark.timeout(300)
def test_transcripts_are_as_the_model_says(engine: Engine) -> None:
    """Whatever is done to transcripts, every answer, number, count and total is the one of a list in Python."""
    play(TranscriptGame, engine, games=25 if engine.kind == "cluster" else 60)
