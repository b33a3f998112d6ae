"""Pairs of a user and a session as one session id, and back.

The rule of this module: no two pairs have one id. The default user's sessions keep their own ids, so that those of
other contracts are among them; another user's session is `user=<escaped user>/<session>`.
"""

from __future__ import annotations

from typing import Final

from sessioncache.errors import InvalidArgument
from sessioncache.types import check_session_id, check_user
from sessioncache.wire.keys import escape, unescape

__all__ = ["DEFAULT_USER", "pair_of", "session_id_for"]

DEFAULT_USER: Final = "default"
"""Whose session it is where nobody says so."""

PREFIX: Final = "user="


def session_id_for(session: str, user: str | None) -> str:
    """The id of the session that a user calls so. None is the default user.

    Raises:
        InvalidArgument: the session or the user is blank or holds control characters, or both together are too long.
    """
    check_session_id(session)
    check_user(user)
    for what, text in (("session id", session), ("user", user)):
        if text is not None and not text.strip():
            raise InvalidArgument(f"{what} is blank; give it at least one letter")
    if user in (None, DEFAULT_USER) and not session.startswith(PREFIX):
        return session
    return check_session_id(f"{PREFIX}{escape(user or DEFAULT_USER)}/{session}")


def pair_of(session_id: str) -> tuple[str, str]:
    """The session and the user that an id stands for."""
    user, slash, session = session_id.removeprefix(PREFIX).partition("/")
    if session_id.startswith(PREFIX) and slash and session:
        return session, unescape(user)
    return session_id, DEFAULT_USER
