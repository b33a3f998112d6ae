"""Messages that tell whether they are as they were dumped: no change of one goes unseen, however deep it is."""

from __future__ import annotations

import copy
import math
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from pydantic import PrivateAttr, computed_field

from sessioncache.errors import InvalidArgument
from sessioncache.stores import RuntimeMessage, RuntimeSession
from sessioncache.stores.asset_models import ConversationTurn
from sessioncache.stores.kept_message import Dumps, dump_again, fingerprint
from sessioncache.stores.stored_model import dumped, dumped_plain
from sessioncache.types import JSONObject


def look(session: RuntimeSession) -> Dumps:
    """What the session's messages are dumped as now."""
    return session.dump_messages(RuntimeMessage, session.messages, what="message")


def anew(session: RuntimeSession) -> list[JSONObject]:
    """What they are, remembered by nobody."""
    return [dumped(message) for message in session.messages]


def calling(number: object = 1) -> RuntimeMessage:
    """A message that holds something of each kind."""
    return RuntimeMessage.model_validate(
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "deep"}],
            "tool_calls": [{"id": "call", "function": {"name": "f", "arguments": '{"a": 1}'}, "at": [number, None]}],
            "metadata": {"flags": [number], "deeper": {"nothing": {}}},
            "unknown": {"kept": [number]},
            "created_at": datetime(2030, 1, 1, tzinfo=UTC),
        }
    )


class Role(StrEnum):
    """A text of a kind of its own."""

    USER = "user"


@pytest.mark.parametrize("kind", [RuntimeMessage, ConversationTurn])
@pytest.mark.parametrize("seed", range(5))
def test_plain_messages_are_dumped_as_pydantic_dumps_them(kind: type[Any], seed: int) -> None:
    """Whatever is set, in declared fields and others, what is dumped without pydantic is what it says, in its order."""
    chance, plain = random.Random(seed), 0
    given: dict[str, Any] = {"id": "t", "role": "user", "content": "a"}
    given |= {"timestamp_ms": 5} if kind is ConversationTurn else {}
    values: list[Any] = [
        "text",
        "",
        "a\ud800",
        None,
        None,
        "x",
        False,
        True,
        0,
        1,
        10**20,
        1.5,
        0.0,
        b"b",
        Role.USER,
        [],
        {"a": 1},
    ]
    fields = [*kind.model_fields, "more", "another"]
    for _ in range(400):
        message = kind.model_validate(given)
        for name in chance.sample(fields, chance.randrange(4)):
            if chance.random() < 0.1 and name in message.__dict__:
                delattr(message, name)
            else:
                setattr(message, name, chance.choice(values if chance.random() < 0.5 else values[:6]))
        found = dumped_plain(message)
        if found is not None:
            plain += 1
            assert repr(found) == repr(message.model_dump(mode="json", warnings=False))
            assert {*map(type, found.values())} <= {str, bool, int, type(None)}
    assert plain > 100 or kind is ConversationTurn


CHANGES: dict[str, Callable[[Any], object]] = {
    "a field": lambda message: setattr(message, "content", "other"),
    "a field that was not set": lambda message: setattr(message, "phase", "x"),
    "a field that nobody declared": lambda message: setattr(message, "more", 1),
    "a field is removed": lambda message: delattr(message, "unknown"),
    "the type of a field": lambda message: setattr(message, "compressed", 0),
    "an element": lambda message: message.content.append({"type": "text", "text": "more"}),
    "a value in an object in a list": lambda message: message.content[0].update(text="deeper"),
    "a value three levels down": lambda message: message.tool_calls[0]["function"].update(arguments="{}"),
    "a name": lambda message: message.metadata["deeper"].pop("nothing"),
    "an element becomes None": lambda message: message.tool_calls[0]["at"].__setitem__(0, None),
    "1 becomes True": lambda message: message.metadata.update(flags=[True]),
    "1 becomes 1.0": lambda message: message.tool_calls[0]["at"].__setitem__(0, 1.0),
    "1 becomes a text": lambda message: message.metadata["flags"].__setitem__(0, "1"),
    "in a field that nobody declared": lambda message: message.unknown["kept"].append(2),
    "through the undeclared fields": lambda message: (message.model_extra or {}).update(more=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("place", [0, 2])
def test_a_change_is_seen(change: Callable[[RuntimeMessage], object], place: int) -> None:
    """Whatever of an old message changes, the next look dumps it anew, and all the others not."""
    session = RuntimeSession(id="s", messages=[calling() for _ in range(3)])
    before = look(session).values()
    change(session.messages[place])
    after = look(session)
    assert [repr(value) for value in after.values()] == [repr(value) for value in anew(session)]
    assert [one is other for one, other in zip(after.values(), before, strict=True)] == [n != place for n in range(3)]
    assert after.prints == tuple(map(fingerprint, anew(session)))
    assert after.prints[place] != fingerprint(before[place])


@pytest.mark.parametrize(
    "was, becomes",
    [(0.0, -0.0), (True, 1), (False, 0.0), (1.0, 1), (0, False), (10**30, 1e30), (1, 2), (math.inf, 1)],
)
def test_numbers_that_are_equal_and_not_the_same(was: object, becomes: object) -> None:
    """A number in an object that takes another number's place is seen, also where Python holds the two equal."""
    session = RuntimeSession(id="s", messages=[RuntimeMessage(role="user", metadata={"deep": [was]})])
    look(session)
    session.messages[0].metadata["deep"][0] = becomes
    assert [repr(value) for value in look(session).values()] == [repr(value) for value in anew(session)]


def test_a_time_in_another_zone_is_another_time() -> None:
    """Inside an object, the same moment in another zone is dumped anew, as its text is another."""
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    session = RuntimeSession(id="s", messages=[RuntimeMessage(role="user", metadata={"at": noon})])
    look(session)
    session.messages[0].metadata["at"] = noon.astimezone(datetime.fromisoformat("2030-01-01T12:00+05:00").tzinfo)
    assert look(session).values() == anew(session)


def test_nothing_is_dumped_again() -> None:
    """Messages that nobody touched are dumped once, also where others come before, between and behind them."""
    session = RuntimeSession(id="s", messages=[calling(n) for n in range(4)])
    before = look(session).values()
    assert all(map(lambda one, other: one is other, look(session).values(), before))
    session.messages.append(calling(4))
    assert all(map(lambda one, other: one is other, look(session).values()[:4], before))
    session.messages.insert(1, calling(9))
    session.messages.reverse()
    after = look(session).values()
    assert after == anew(session)
    assert sum(any(one is other for other in before) for one in after) == 4


def test_an_equal_message_is_not_the_same() -> None:
    """A message in the place of an equal one is watched from then on, and nobody else's dump is taken for its own."""
    session = RuntimeSession(id="s", messages=[calling(), calling()])
    look(session)
    other = session.messages[0] = session.messages[0].model_copy(deep=True)
    look(session)
    other.metadata["flags"].append("seen")
    assert look(session).values() == anew(session)
    assert look(session).values()[0]["metadata"]["flags"] == [1, "seen"]


def test_a_message_that_python_calls_equal_is_dumped() -> None:
    """True in the place of 1 is another message; so is one that cannot be compared at all."""

    class Stubborn:
        def __eq__(self, other: object) -> bool:
            raise ValueError("no")

        __hash__ = None  # type: ignore[assignment]  # as lists and objects

    session = RuntimeSession(id="s", messages=[calling(), calling()])
    look(session)
    session.messages[0] = session.messages[0].model_copy(update={"metadata": {"flags": [1]}})
    look(session)
    session.messages[0] = session.messages[0].model_copy(update={"metadata": {"flags": [True]}})
    assert look(session).values() == anew(session)
    assert look(session).values()[0]["metadata"]["flags"][0] is True
    session.messages[0] = session.messages[0].model_copy(update={"metadata": Stubborn()})
    with pytest.raises(InvalidArgument):
        look(session)


@pytest.mark.parametrize("how", [lambda session: session.model_copy(), copy.copy, copy.deepcopy])
def test_copies_of_an_object_each_see_their_changes(how: Callable[[RuntimeSession], RuntimeSession]) -> None:
    """An object and its copy, which share messages or not, see the changes of both, not each other's new messages."""
    first = RuntimeSession(id="s", messages=[calling() for _ in range(3)])
    look(first)
    second = how(first)
    second.messages = list(second.messages)
    second.messages.append(calling(2))
    second.messages[0].metadata["flags"].append("second")
    first.messages[1].content = "first"
    for session in (first, second, first):
        assert look(session).values() == anew(session)
        assert len(look(session).prints) == len(session.messages)


def test_the_undeclared_fields_of_a_message_may_be_kept_by_somebody() -> None:
    """Whoever asked for the undeclared fields may write into them at any later time; it is seen each time."""
    session = RuntimeSession(id="s", messages=[RuntimeMessage(role="user")])
    look(session)
    extra = session.messages[0].model_extra
    assert extra is not None
    for number in range(3):
        look(session)
        extra["later"] = number
        assert look(session).values() == [{**anew(session)[0], "later": number}]


def test_messages_that_hold_more_than_plain_values() -> None:
    """What cannot be compared is dumped each time: a model inside a message, names that are no texts, dicts."""
    inside = RuntimeMessage(role="tool", content="inside")
    as_dict: Any = {"role": "user", "content": "a dict"}
    session = RuntimeSession(id="s", messages=[RuntimeMessage(role="user"), calling()])
    session.messages[0].content = inside
    session.messages[1].metadata = {1: "one"}
    session.messages.append(as_dict)
    look(session)
    inside.content = "changed"
    session.messages[1].metadata[True] = "two"
    as_dict["content"] = "changed"
    found = look(session).values()
    assert found[0]["content"]["content"] == "changed"
    assert found[1]["metadata"] == {"1": "two"}
    assert found[2]["content"] == "changed"


def test_what_does_not_like_to_be_compared_has_changed() -> None:
    """An object in a message that raises when it is compared is a change, not an error."""

    class Contrary(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise ValueError("no")

        __hash__ = str.__hash__

    session = RuntimeSession(id="s", messages=[RuntimeMessage(role="user", metadata={"a": "x"})])
    look(session)
    session.messages[0].metadata["a"] = Contrary("y")
    assert look(session).values()[0]["metadata"] == {"a": "y"}


def test_messages_of_another_kind_are_no_ones_own() -> None:
    """A turn among a runtime's messages is dumped as a runtime message, whatever it was dumped as before."""
    turn = ConversationTurn.model_validate({"id": "t", "role": "user", "content": "a", "timestamp_ms": 5})
    as_turn = dump_again(None, ConversationTurn, [turn], what="turn").values()
    as_message = dump_again(None, RuntimeMessage, [turn], what="message").values()
    assert as_turn == [dumped(turn)]
    assert as_message == [dumped(RuntimeMessage.model_validate(dumped(turn)))]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_a_look_sees_what_is_there(seed: int) -> None:
    """After any row of changes, moves and looks, through an object or its copies, a look is what a fresh dump is."""
    chance = random.Random(seed)
    sessions = [RuntimeSession(id="s", messages=[calling(n) for n in range(4)])]
    changes = list(CHANGES.values())
    for _ in range(120):
        session = chance.choice(sessions)
        messages = session.messages
        match chance.randrange(8):
            case 0 | 1:
                messages.append(calling(chance.choice([1, True, 1.0, 2])))
            case 2 if messages:
                chance.shuffle(messages)
            case 3 if messages:
                messages.pop(chance.randrange(len(messages)))
            case 4 if len(sessions) < 4:
                made = chance.choice([copy.copy, copy.deepcopy])(session)
                made.messages = list(made.messages)
                sessions.append(made)
            case 5 if messages:
                messages[chance.randrange(len(messages))] = calling()
            case _ if messages:
                try:
                    chance.choice(changes)(chance.choice(messages))
                except (AttributeError, KeyError, IndexError, TypeError):
                    continue  # that message has no such part any more
        for one in chance.sample(sessions, chance.randint(1, len(sessions))):
            found = look(one)
            assert [repr(value) for value in found.values()] == [repr(value) for value in anew(one)]
            assert found.prints == tuple(map(fingerprint, anew(one)))


def test_the_rest_of_a_session_is_dumped_as_it_is_now() -> None:
    """A session's document is that of a fresh copy, whatever of the session changed since it was made last."""
    session = RuntimeSession(id="s", runtime_metadata={"deep": [1, {"a": 0.0}]}, agent_runtime_state={"x": 1})
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: setattr(session, "spawn_depth", 2),
        lambda: session.runtime_metadata["deep"].__setitem__(0, 1.0),
        lambda: session.runtime_metadata["deep"][1].update(a=-0.0),
        lambda: session.compression_events.append({"id": 1}),
        lambda: setattr(session, "unknown", datetime(2030, 1, 1, tzinfo=UTC)),
        lambda: setattr(session, "spawn_depth", 3),
        lambda: delattr(session, "unknown"),
        lambda: (session.agent_runtime_state or {}).pop("x"),
    ]
    for change in changes:
        change()
        assert repr(session.to_document()) == repr(session.model_copy(deep=True).to_document())


def test_who_changes_a_document_changes_no_other() -> None:
    """What a session's document is given out as is the caller's own, deep inside it too."""
    session = RuntimeSession(id="s", runtime_metadata={"deep": [1]})
    given = session.to_document()
    given["more"] = 1
    given["runtime_metadata"]["deep"].append(2)
    assert session.to_document() == RuntimeSession(id="s", runtime_metadata={"deep": [1]}).to_document()


def test_a_pickled_session_sees_its_changes() -> None:
    """A session that another process unpickles notices changes, also where none was ever noticed in either process."""
    code = """
import pickle, sys
from sessioncache.stores import RuntimeMessage, RuntimeSession
look = lambda session: session.dump_messages(RuntimeMessage, session.messages, what="message").values()
session = RuntimeSession(id="s", messages=[RuntimeMessage(role="user", content="old")])
look(session)
there = pickle.loads(pickle.dumps(session))
there.messages[0].content = "new"
print(look(there)[0]["content"], there == session, there.remembered() == session.remembered())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.split() == ["new", "False", "True"]


def test_a_subclass_is_dumped_each_time() -> None:
    """What a subclass computes from elsewhere is seen, in a message and in a session."""

    class Tagged(RuntimeMessage):
        _tags: list[str] = PrivateAttr(default_factory=list)

        @computed_field
        def tags(self) -> list[str]:
            return list(self._tags)

    class Counted(RuntimeSession):
        @computed_field
        def total(self) -> int:
            return len(self.messages)

    message = Tagged(role="user")
    session = Counted(id="s", messages=[message])
    for total in range(1, 4):
        assert look(session).values() == anew(session)
        assert session.to_document()["total"] == total
        message._tags.append("new")
        session.messages.append(calling())
    assert look(session).values()[0]["tags"] == ["new"] * 3
