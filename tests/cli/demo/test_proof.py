"""The proof of the demonstration finds every kind of damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sessioncache import NamespaceStats, Session, SessionSummary
from sessioncache.cli.demo.proof import Evidence, Expected, judge

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
MESSAGES = (b'{"a":1}', b'{"b":2}', b'{"b":2}', b'{"c":3}')


def expected() -> dict[str, Expected]:
    """Two sessions, one edited."""
    return {
        "one": Expected("one", "ann", MESSAGES, title="Edited", title_version=1, pinned=True, metadata_version=2),
        "two": Expected("two", None, MESSAGES[:1]),
    }


def sound() -> Evidence:
    """What a store that lost nothing answers."""
    evidence = Evidence()
    for age, item in enumerate(expected().values()):
        at, size = NOON - timedelta(minutes=age), sum(map(len, item.messages))
        evidence.transcripts[item.id] = list(enumerate(item.messages, 1))
        evidence.records[item.id] = Session(
            id=item.id,
            user=item.user or "default",
            title=item.title,
            title_version=item.title_version,
            pinned=item.pinned,
            metadata_version=item.metadata_version,
            status="done",
            messages=len(item.messages),
            bytes=size,
        )
        evidence.newest.append(
            SessionSummary(
                id=item.id,
                gen="g",
                revision=1,
                messages=len(item.messages),
                bytes=size,
                created_at=NOON,
                updated_at=at,
                deadline_at=None,
                user=item.user or "default",
                parent=None,
                status="done",
                title=item.title,
                pinned=item.pinned,
            )
        )
    evidence.oldest = evidence.newest[::-1]
    evidence.count = 2
    evidence.stats = NamespaceStats(
        namespace="t", shards=4, sessions=2, messages=5, bytes=35, overdue=0, lag_ms=0, changes=9
    )
    return evidence


def lose_a_message(evidence: Evidence) -> None:
    """The second of two equal messages is gone."""
    evidence.transcripts["one"] = list(enumerate((MESSAGES[0], MESSAGES[1], MESSAGES[3]), 1))


def double_a_message(evidence: Evidence) -> None:
    """A message was written twice."""
    evidence.transcripts["one"] = list(enumerate((*MESSAGES, MESSAGES[3]), 1))


def swap_messages(evidence: Evidence) -> None:
    """Two messages changed places."""
    evidence.transcripts["one"] = list(enumerate(MESSAGES[::-1], 1))


def alter_a_byte(evidence: Evidence) -> None:
    """A message has one more space."""
    evidence.transcripts["two"] = [(1, b'{"a": 1}')]


def leave_a_hole(evidence: Evidence) -> None:
    """All messages, but a number was skipped."""
    evidence.transcripts["two"] = [(2, MESSAGES[0])]


def lose_the_title(evidence: Evidence) -> None:
    """A stale save undid the title."""
    evidence.records["one"].title = None


def lose_an_edit(evidence: Evidence) -> None:
    """An edit was not counted."""
    evidence.records["one"].metadata_version = 1


def unpin(evidence: Evidence) -> None:
    """A stale save undid the pin."""
    evidence.records["one"].pinned = False


def lose_a_session(evidence: Evidence) -> None:
    """A session is gone."""
    del evidence.records["two"], evidence.transcripts["two"]


def unlist(evidence: Evidence) -> None:
    """A session is there but in no list."""
    del evidence.newest[1]


def list_twice(evidence: Evidence) -> None:
    """A session is listed twice."""
    evidence.oldest.append(evidence.oldest[-1])


def misorder(evidence: Evidence) -> None:
    """The list is the wrong way round."""
    evidence.newest.reverse()


def list_an_old_title(evidence: Evidence) -> None:
    """The list shows what the record no longer says."""
    evidence.newest[0] = replace(evidence.newest[0], title="Old")


def miscount(evidence: Evidence) -> None:
    """The count is off."""
    evidence.count = 3


def mistotal(evidence: Evidence) -> None:
    """The totals are off."""
    assert evidence.stats is not None
    evidence.stats = replace(evidence.stats, messages=4)


def damage(evidence: Evidence) -> None:
    """A session cannot be read."""
    lose_a_session(evidence)
    evidence.damaged.append("two: cannot be read: torn")


def test_a_sound_store_passes() -> None:
    """Where everything is as it was written, the proof has nothing to say."""
    assert judge(expected(), sound()) == []


@pytest.mark.parametrize(
    "harm,told",
    [
        (lose_a_message, "one: 1 of 4 messages are missing"),
        (double_a_message, "one: 1 messages are there more than once"),
        (swap_messages, "one: the messages are out of order"),
        (alter_a_byte, "two: 1 messages are there that nobody wrote so: altered or foreign"),
        (leave_a_hole, "two: the messages are not numbered 1, 2, 3 …"),
        (lose_the_title, "one: title is None, it should be 'Edited'"),
        (lose_an_edit, "one: metadata_version is 1, it should be 2"),
        (unpin, "one: pinned is False, it should be True"),
        (lose_a_session, "two: the session is missing"),
        (unlist, "the list, newest first, lacks two"),
        (list_twice, "the list, oldest first, has one 2 times"),
        (misorder, "the list, newest first, is not in the order of its times"),
        (list_an_old_title, "the list, newest first, and the record of one disagree"),
        (miscount, "the count says 3 sessions, there should be 2"),
        (mistotal, "the totals say 4 messages, there should be 5"),
        (damage, "two: cannot be read: torn"),
    ],
)
def test_damage_is_found(harm: Callable[[Evidence], None], told: str) -> None:
    """Each kind of damage is named with the session that has it."""
    evidence = sound()
    harm(evidence)
    assert told in judge(expected(), evidence)
