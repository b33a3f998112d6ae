"""`sessioncache sessions`: what people see, what programs get, and what it refuses."""

from __future__ import annotations

import json

import pytest

from sessioncache import SessionCache
from tests.cli.conftest import Command

pytestmark = pytest.mark.engines("valkey")

ODD = "odd: {id}*?[x] é/ü %00 日本"


def test_list_pages(command: Command, cache: SessionCache) -> None:
    """Pages of both orders together hold every session once, and stderr says how to get the next."""
    for number in range(5):
        cache.transcripts.append(f"s{number}", {"n": number})
    first = command("sessions", "list", "--limit", "3", "--json")
    cursor = first.err.split("--cursor ")[1].split()[0]
    second = command("sessions", "list", "--limit", "3", "--cursor", cursor, "--json")
    assert (first.code, second.code, second.err) == (0, 0, "")
    assert sorted(item["id"] for item in first.objects + second.objects) == [f"s{n}" for n in range(5)]
    oldest = command("--json", "sessions", "list", "--order", "oldest", "--limit", "1000")
    assert {item["id"] for item in oldest.objects} == {f"s{n}" for n in range(5)}


def test_list_of_one_user(command: Command, cache: SessionCache) -> None:
    """`--user` lists that user's sessions only."""
    cache.transcripts.append("hers", {"a": 1}, user="ann")
    cache.transcripts.append("his", {"a": 1}, user="bob")
    assert [item["id"] for item in command("sessions", "list", "--user", "ann", "--json").objects] == ["hers"]


@pytest.mark.usefixtures("cache")
def test_list_of_nothing(command: Command) -> None:
    """An empty namespace lists nothing and says so to people."""
    assert command("sessions", "list").out == "no sessions\n"
    assert command("sessions", "list", "--json").out == ""


def test_show(command: Command, cache: SessionCache) -> None:
    """A record is shown whole, its id as it is, also an odd one."""
    cache.transcripts.append(ODD, {"a": 1})
    cache.session(ODD).update(title="Refund", pinned=True, metadata={"model": {"name": "m"}})
    shown = command("sessions", "show", ODD)
    assert shown.code == 0
    assert ODD in shown.out
    assert "Refund" in shown.out
    (record,) = command("sessions", "show", ODD, "--json").objects
    assert (record["id"], record["title"], record["pinned"]) == (ODD, "Refund", True)
    assert record["metadata"] == {"model": {"name": "m"}}


def test_what_is_stored_cannot_steer_the_terminal(command: Command, cache: SessionCache) -> None:
    """Escape sequences in titles and messages are printed as text."""
    cache.transcripts.append("evil", {"role": "user", "content": "\x1b[2J\x07gone \u202etxt"})
    cache.session("evil").update(title="\x1b]0;pwned\x07")
    for arguments in (("sessions", "show", "evil"), ("sessions", "list"), ("transcripts", "show", "evil")):
        shown = command(*arguments).out
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "\\x1b[2J" in command("transcripts", "show", "evil").out


@pytest.mark.usefixtures("cache")
def test_show_of_a_missing_session(command: Command) -> None:
    """A session that is not there is exit code 1 and one sentence."""
    shown = command("sessions", "show", "nobody")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("error: there is no session 'nobody' in this namespace")
    assert shown.err.count("\n") == 1


def test_delete_asks(command: Command, cache: SessionCache) -> None:
    """Without --yes it asks, and a no deletes nothing."""
    cache.transcripts.append("s", {"a": 1})
    refused = command("sessions", "delete", "s", answer="n\n")
    assert refused.code == 1
    assert cache.sessions.exists("s")
    assert command("sessions", "delete", "s", answer="y\n").code == 0
    assert not cache.sessions.exists("s")


def test_delete_under_json_asks_nobody(command: Command, cache: SessionCache) -> None:
    """Under --json nothing but objects is printed, so a missing --yes is wrong usage, and nothing is deleted."""
    cache.transcripts.append("s", {"a": 1})
    refused = command("sessions", "delete", "s", "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in json.loads(refused.err)["message"]
    assert cache.sessions.exists("s")


def test_times_are_written_alike(command: Command, cache: SessionCache) -> None:
    """A session's record and its line in the list say the same times in the same way."""
    cache.transcripts.append("s", {"a": 1})
    (shown,) = command("sessions", "show", "s", "--json").objects
    (listed,) = command("sessions", "list", "--json").objects
    names = ("created_at", "updated_at", "deadline_at")
    assert [shown[name] for name in names] == [listed[name] for name in names]


def test_delete_several(command: Command, cache: SessionCache) -> None:
    """Those that are there are deleted; one that is not makes it exit code 1."""
    cache.transcripts.append("a", {"a": 1})
    deleted = command("sessions", "delete", "a", "b", "--yes", "--json")
    assert deleted.code == 1
    assert deleted.objects == [{"id": "a", "deleted": True}, {"id": "b", "deleted": False}]


@pytest.mark.parametrize(
    "session_id,told",
    [
        ("", "session id is empty"),
        ("x" * 513, "is 513 bytes long; the limit is 512"),
        ("a\x07b", "holds the control character"),
    ],
)
@pytest.mark.parametrize("words", [("sessions", "show"), ("transcripts", "show"), ("sessions", "delete", "--yes")])
def test_bad_ids(command: Command, words: tuple[str, ...], session_id: str, told: str) -> None:
    """An id that cannot be one is exit code 2 and says why."""
    refused = command(*words, "--", session_id)
    assert (refused.code, refused.out) == (2, "")
    assert told in refused.err


@pytest.mark.parametrize("words", [("sessions", "list", "--limit", "-1"), ("transcripts", "show", "s", "--last", "-1")])
@pytest.mark.usefixtures("cache")
def test_negative_limits(command: Command, words: tuple[str, ...]) -> None:
    """A negative limit is exit code 2 and says what is allowed."""
    refused = command(*words)
    assert refused.code == 2
    assert "is -1; it must be at least 0" in refused.err


@pytest.mark.parametrize("words", [("sessions", "list"), ("transcripts", "show", "s")])
@pytest.mark.usefixtures("cache")
def test_a_broken_cursor(command: Command, words: tuple[str, ...]) -> None:
    """A cursor that nobody gave out is exit code 2 and says what to do."""
    refused = command(*words, "--cursor", "abc")
    assert refused.code == 2
    assert "start again without a cursor" in refused.err
