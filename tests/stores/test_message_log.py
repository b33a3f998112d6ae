"""Objects that remember what is stored: whatever several of them do at once, nothing of others is lost or doubled."""

from __future__ import annotations

import pickle
import random

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.stores import AsyncRuntimePersistence, RuntimeMessage, RuntimeSession
from sessioncache.stores.kept_message import Dumps, Kept, fingerprint
from sessioncache.stores.message_log import LogBase, Numbers, plan_append, plan_meeting, plan_rewrite
from sessioncache.types import NO_BASE, JSONObject


def texts(words: str) -> list[JSONObject]:
    """Messages, one a word."""
    return [{"text": word} for word in words.split()]


def prints(words: str) -> tuple[bytes, ...]:
    """Their fingerprints."""
    return tuple(fingerprint(message) for message in texts(words))


def dumps(words: str) -> Dumps:
    """What an object with these messages was dumped as."""
    kept = [Kept(message) for message in texts(words)]
    return Dumps.of([object() for _ in kept], kept, None)


def test_fingerprints_tell_content_not_order() -> None:
    """The order of names makes no other fingerprint, another value does."""
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_an_append_sends_what_is_new() -> None:
    """Behind known messages only the new ones are sent, and they get the numbers that the server gave."""
    known = LogBase("g", prints("a b"), (1, 4))
    plan = plan_append(dumps("a b c d"), known, base=NO_BASE, most=500)
    assert plan is not None
    assert plan.messages == texts("c d")
    assert plan.done("g", 9).seqs == (1, 4, 9, 10)
    assert plan_append(dumps("a x c"), known, base=NO_BASE, most=500) is None
    assert plan_append(dumps("a"), known, base=NO_BASE, most=500) is None


def test_an_append_knows_the_list_that_it_was_told_of_before() -> None:
    """Behind messages that were saved no fingerprint is made; where they were dumped anew, equal ones are the same."""
    found = dumps("a b")
    plan = plan_append(found, LogBase("g"), base=NO_BASE, most=500)
    assert plan is not None
    known = plan.done("g", 1)
    found.extend([object()], [Kept(message) for message in texts("c")], None)
    assert len(known.prints) == 2
    following = plan_append(found, known, base=NO_BASE, most=500)
    assert following is not None
    assert all(one._fingerprint is None for one in found.kept)
    again = plan_append(dumps("a b c"), known, base=NO_BASE, most=500)
    assert again is not None
    assert following.messages == again.messages == texts("c")
    assert following.done("g", 3) == again.done("g", 3)
    assert plan_append(dumps("b a c"), known, base=NO_BASE, most=500) is None


def test_what_is_remembered_is_pickled_as_plain_values() -> None:
    """Fingerprints and numbers are pickled without the messages, as releases before knew them."""
    plan = plan_append(dumps("a b"), LogBase("g"), base=NO_BASE, most=500)
    assert plan is not None
    log = pickle.loads(pickle.dumps(plan.done("g", 5)))  # noqa: S301 - our own
    assert (type(log.prints), type(log.seqs)) == (tuple, tuple)
    assert log == plan.done("g", 5) == LogBase("g", prints("a b"), (5, 6))
    plan = plan_append(dumps("a b c"), log, base=NO_BASE, most=500)
    assert plan is not None
    assert plan.done("g", 9).seqs == (5, 6, 9)


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_those_that_were_put_in(seed: int) -> None:
    """Whatever the gaps between numbers, and however they came in, they come out, and earlier ones stay."""
    chance = random.Random(seed)
    numbers = Numbers()
    plain: list[int] = []
    kept: list[tuple[Numbers, tuple[int, ...]]] = []
    for _ in range(60):
        first = (plain[-1] if plain else 0) + chance.choice([1, 1, 1, 7])
        new = list(range(first, first + chance.randrange(4)))
        numbers = numbers.followed_by_row(first, len(new)) if chance.random() < 0.5 else numbers.followed_by(new)
        plain += new
        kept.append((numbers, tuple(plain)))
    for one, those in kept:
        assert (tuple(one), len(one), one[2:5]) == (those, len(those), those[2:5])
        assert one == those


@pytest.mark.parametrize(
    "stored, given, found, new",
    [
        ("a b", "a b c", (1, 2), [2]),
        ("a x b", "a b c", (1, 3), [2]),
        ("a b", "c", (), [0]),
        ("a a", "a a a", (1, 2), [2]),
        ("b a", "a b", (2,), [1]),
        ("", "a", (), [0]),
        ("a b", "", (), []),
    ],
)
def test_objects_of_unknown_origin_meet_a_transcript(
    stored: str, given: str, found: tuple[int, ...], new: list[int]
) -> None:
    """What is stored in the same order is known; the rest is new."""
    entries = list(enumerate(prints(stored), start=1))
    log, positions = plan_meeting(prints(given), entries, gen="g")
    assert (log.seqs, positions) == (found, new)


@pytest.mark.parametrize(
    "known, given, stored, sent",
    [
        ("a b", "A b c", "a b x", "A b x c"),
        ("a b", "sum", "a b x", "sum x"),
        ("a b", "", "a b x", "x"),
        ("a b", "a", "a b", "a"),
        ("a b", "a B", "a b a", "a a B"),
    ],
)
def test_a_swap_keeps_what_others_wrote(known: str, given: str, stored: str, sent: str) -> None:
    """Messages that the object never knew, equal ones too, follow the last one that it knew before."""
    base = LogBase("g", prints(known), tuple(range(1, len(known.split()) + 1)))
    entries = [(seq, fingerprint(message), message) for seq, message in enumerate(texts(stored), start=1)]
    plan = plan_rewrite(texts(given), prints(given), base, stored=entries, base=NO_BASE)
    assert plan.messages == texts(sent)
    assert plan.through == len(entries)
    numbered = dict(enumerate(plan.messages, start=100))
    assert [numbered[seq] for seq in plan.done("g", 100).seqs] == texts(given)


@pytest.mark.engines("fakeredis", "valkey")
@pytest.mark.parametrize("seed", range(8))
async def test_several_objects_lose_nothing_of_each_other(cache: AsyncSessionCache, seed: int) -> None:
    """Objects that append, change and remove messages of their own, reload, or come out of JSON: all others stand."""
    chance = random.Random(seed)
    store = AsyncRuntimePersistence(cache)
    await store.save_runtime_session(RuntimeSession(id="run"))
    objects = [await store.load("run") for _ in range(3)]
    expected: set[str] = set()
    for step in range(60):
        which = chance.randrange(3)
        session = objects[which]
        assert session is not None
        own = [message for message in session.messages if message.content.startswith(f"{which}.")]
        match chance.randrange(6):
            case 0 | 1:
                session.messages.append(RuntimeMessage(role="user", content=f"{which}.{step}"))
            case 2 if own:
                chance.choice(own).content = f"{which}.{step} changed"
            case 3 if own:
                session.messages.remove(chance.choice(own))
            case 4:
                await cache.transcripts.append("run", {"role": "user", "content": f"theirs {step}"})
                expected.add(f"theirs {step}")
                continue
            case _:
                objects[which] = session = await store.load("run")
                assert session is not None
        await store.save_runtime_session(session)
        now = {message.content for message in session.messages if message.content.startswith(f"{which}.")}
        expected = {text for text in expected if not text.startswith(f"{which}.")} | now
        stored = [entry.message["content"] async for entry in cache.transcripts.each("run")]
        assert sorted(stored) == sorted(expected)
