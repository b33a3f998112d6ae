"""Pairs of a user and a session as session ids."""

from __future__ import annotations

import pytest

from sessioncache import InvalidArgument
from sessioncache.stores.user_sessions import pair_of, session_id_for

PAIRS = [
    ("chat", None, "chat"),
    ("chat", "ada", "user=ada/chat"),
    ("b/c", "a", "user=a/b/c"),
    ("c", "a/b", "user=a%2Fb/c"),
    ("c", "a:{*}", "user=a%3A%7B%2A%7D/c"),
    ("日本", "ä", "user=%C3%A4/日本"),
    ("user=ada/chat", None, "user=default/user=ada/chat"),
    ("user=ada/chat", "ada", "user=ada/user=ada/chat"),
]


@pytest.mark.parametrize("session, user, session_id", PAIRS)
def test_a_pair_has_one_id(session: str, user: str | None, session_id: str) -> None:
    """The default user's sessions keep their ids; the others' have the user in front, escaped."""
    assert session_id_for(session, user) == session_id
    assert pair_of(session_id) == (session, user or "default")


def test_none_is_the_default_user() -> None:
    """No user and "default" are the same."""
    for session in ("chat", "user=x/y"):
        assert session_id_for(session, None) == session_id_for(session, "default")


def test_ids_that_are_no_pair_are_sessions_of_the_default_user() -> None:
    """Whatever another contract calls its sessions stands for something."""
    assert pair_of("user=nobody") == ("user=nobody", "default")
    assert pair_of("user=nobody/") == ("user=nobody/", "default")


@pytest.mark.parametrize(
    "session, user", [("", None), ("  ", None), ("a\n", None), ("a", ""), ("a", " "), ("a", "b\n")]
)
def test_blank_names_are_refused(session: str, user: str | None) -> None:
    """An empty or blank name, or a control character, is InvalidArgument."""
    with pytest.raises(InvalidArgument):
        session_id_for(session, user)


def test_a_long_pair_is_refused() -> None:
    """Both together have to fit into a session id."""
    assert session_id_for("x" * 512, None)
    with pytest.raises(InvalidArgument, match="the limit is 512"):
        session_id_for("x" * 512, "ada")
