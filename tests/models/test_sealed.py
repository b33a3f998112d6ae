"""The transcript's model, played while somebody seals and opens: nobody sees a difference.

`SESSIONCACHE_MODELS=deep` plays more, and other games at every run; see `profile.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from sessioncache import RetentionPolicy
from sessioncache.sealing._sync import Sealing
from sessioncache.sealing.models import Sealable
from sessioncache.sealing.plan import plan_swap
from sessioncache.upkeep import Trimmed
from tests.engines import Engine
from tests.models.machine import bases, play
from tests.models.test_transcript import TranscriptGame, ids

CHUNK = 3


class SealedGame(TranscriptGame):
    """Writers and readers of transcripts that are sealed behind their backs."""

    @rule(session_id=ids, count=st.integers(3, 8), keep=st.sampled_from([0, 0, 1]), base=bases)
    def grow(self, session_id: str, count: int, keep: int, base: str) -> None:
        """A transcript gets long at once, and is sealed."""
        shapes = [{"role": "user"}, {"role": "user", "text": "é" * 9}, {"role": "tool"}]
        self.write("append", session_id, [shapes[at % 3] | {"at": at} for at in range(count)], base=base, user=None)
        self.seal_now(session_id, keep, 9, join=True)

    @rule(session_id=ids, keep=st.sampled_from([0, 0, 1, 2]), read=st.integers(2, 9), join=st.booleans())
    def seal(self, session_id: str, keep: int, read: int, *, join: bool) -> None:
        """A worker comes by."""
        self.seal_now(session_id, keep, read, join=join)

    def seal_now(self, session_id: str, keep: int, read: int, *, join: bool) -> None:
        """A worker seals the head of a transcript, or all of it."""
        # Time passes: what is forgotten and then sent again makes another incarnation.
        self.wait(ms=1)
        upkeep = self.opened.upkeep
        (found,) = upkeep.sealable([session_id], limits=[read])
        if not isinstance(found, Sealable) or not found.entries:
            return
        last = found.last if join and len(found.last) < CHUNK else []
        swap = plan_swap(found.state, found.entries, last, keep=keep, dictionary=None, chunk_messages=CHUNK)
        if swap is None:
            return
        whole = swap.count == found.state.tail
        shard = self.opened.keys.shard_of(session_id)
        (outcome,) = upkeep.seal(shard, {session_id: (swap, 0 if whole else None)})
        is_live = session_id in self.store.live()
        assert outcome == ("sealed" if is_live else "changed")
        if whole and is_live:
            self.store.sessions[session_id].operations.clear()

    @rule(session_id=ids, seq=st.integers(0, 30))
    def unseal(self, session_id: str, seq: int) -> None:
        """Somebody opens it, and does nothing else."""
        if session_id in self.store.live():
            Sealing(self.opened._transport, self.opened.keys)._unseal(self.opened.keys.session(session_id), seq)

    @rule(session_id=ids, keep=st.integers(1, 5))
    def trim(self, session_id: str, keep: int) -> None:
        """A worker trims: of what is sealed, only whole chunks that hold nothing but excess."""
        shard = self.opened.keys.shard_of(session_id)
        (trimmed,) = self.opened.upkeep.trim(shard, [session_id], RetentionPolicy(keep_messages=keep))
        assert isinstance(trimmed, Trimmed)
        if trimmed.messages:
            length = len(self.store.sessions[session_id].entries)
            assert length - trimmed.messages >= keep
            assert self.store.trim(session_id, length - trimmed.messages) == trimmed.messages


@pytest.mark.engines("valkey", "redis", "cluster")
@pytest.mark.timeout(300)
def test_nobody_sees_that_a_transcript_is_sealed(engine: Engine) -> None:
    """Whatever is done to transcripts that are sealed and opened meanwhile, all is as if they were not."""
    play(SealedGame, engine, games=40 if engine.kind == "cluster" else 150)
