"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sessioncache.sealing.models import NO_ROWS, RawEntry, Rows, StreamRows
from sessioncache.transcripts.models import Appended, Replaced
from sessioncache.wire.call import Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["RawPage", "Seam", "append", "delete", "head", "list_", "pop", "read", "save", "stage"]


class Seam(NamedTuple):
    """Where a transcript that is partly sealed has its two parts."""

    last_seq: int
    """The last sequence number that is sealed."""
    messages: int
    """How many messages are sealed."""
    tail_first_seq: int
    """The first sequence number in the stream; 0: there is none."""
    tail_first_ms: int
    """When that message came: a replacement may use its number again."""
    items: Sequence[bytes]
    """Chunks of the window, each behind its place."""


class RawPage(NamedTuple):
    """What `transcripts/list.lua` answers for a session that exists."""

    gen: str
    revision: int
    count: int  # type: ignore[assignment]  # hides a method of tuples, which nobody asks for
    first_seq: int
    last_seq: int
    entries: Rows
    seam: Seam | None = None
    """None: nothing is sealed, or the page was put together. Else the entries are those of the stream."""


def append(*, session: SessionKeys, write: Write, user: str, marks: str, payloads: Sequence[bytes]) -> Call[Appended]:
    """`transcripts/append.lua`."""
    return Call(
        "transcripts.append",
        load_script("transcripts.append"),
        session.group,
        (*write.args(session), user, marks, *payloads),
        decode=_appended,
        writes=True,
        outcome=_appended_how,
    )


def list_(
    *, session: SessionKeys, now_override_ms: int | None, start: int, stop: int | None, limit: int, newest: bool
) -> Call[RawPage | None]:
    """`transcripts/list.lua`."""
    now = optional(now_override_ms)
    args = (session.escaped, now, start, optional(stop), limit, int(newest))
    return Call("transcripts.list", load_script("transcripts.list"), session.group, args, decode=_page)


def head(
    *, session: SessionKeys, now_override_ms: int | None, start: int, stop: int | None, limit: int, newest: bool
) -> Call[RawPage | None]:
    """`transcripts/head.lua`: a page without entries."""
    args = (session.escaped, optional(now_override_ms), start, optional(stop), limit, int(newest))
    return Call("transcripts.head", load_script("transcripts.head"), session.group, args, decode=_page_alone)


def read(*, session: SessionKeys, start: int, stop: int | None, limit: int, newest: bool) -> Call[Rows]:
    """XRANGE or XREVRANGE of the entries alone."""
    final = "+" if stop is None else stop
    ends = (final, start) if newest else (start, final)
    command = "XREVRANGE" if newest else "XRANGE"
    return Call("transcripts.read", command, (session.transcript,), (*ends, "COUNT", limit), decode=StreamRows)


def pop(*, session: SessionKeys, write: Write) -> Call[RawEntry | None]:
    """`transcripts/pop.lua`."""

    def decode(reply: list[Any] | None) -> RawEntry | None:
        return None if reply is None else RawEntry(int(reply[3]), int(reply[4]), reply[5])

    script = load_script("transcripts.pop")
    return Call("transcripts.pop", script, session.group, write.args(session), decode=decode, writes=True)


def delete(*, session: SessionKeys, write: Write) -> Call[bool]:
    """`transcripts/delete.lua`."""

    def decode(reply: list[Any] | None) -> bool:
        return reply is not None and int(reply[3]) > 0

    script = load_script("transcripts.delete")
    return Call("transcripts.delete", script, session.group, write.args(session), decode=decode, writes=True)


def stage(
    *,
    session: SessionKeys,
    staging: Key,
    write: Write,
    offset: int,
    total: int,
    marks: str,
    payloads: Sequence[bytes],
) -> Call[int]:
    """`transcripts/stage.lua`."""
    args = (*write.args(session), offset, total, marks, *payloads)
    script = load_script("transcripts.stage")
    return Call("transcripts.stage", script, (*session.group, staging), args, decode=int, writes=True)


def save(
    *,
    session: SessionKeys,
    staging: Key,
    write: Write,
    user: str,
    through: int | None,
    staged: int,
    size: int,
    marks: str,
    payloads: Sequence[bytes],
) -> Call[Replaced | None]:
    """`transcripts/save.lua`; None: stage anew."""

    def decode(reply: list[Any] | None) -> Replaced | None:
        if reply is None:
            return None
        repeated, created, gen, *numbers = reply
        revision, first_seq, last_seq, count, replaced, replaced_through = map(int, numbers)
        return Replaced(
            first_seq,
            last_seq,
            count,
            replaced,
            replaced_through,
            gen.decode(),
            revision,
            int(created) == 1,
            repeated == b"1",
        )

    args = (*write.args(session), user, optional(through), staged, size, marks, *payloads)
    return Call(
        "transcripts.save",
        load_script("transcripts.save"),
        (*session.group, staging),
        args,
        decode=decode,
        writes=True,
        outcome=lambda saved: _outcome(repeated=saved.repeated, created=saved.created) if saved else "staged_anew",
    )


def _appended(reply: bytes) -> Appended:
    repeated, created, gen, revision, first_seq, last_seq, count = reply.decode().split(" ")
    return Appended(int(first_seq), int(last_seq), int(count), gen, int(revision), created == "1", repeated == "1")


def _appended_how(appended: Appended) -> str:
    return _outcome(repeated=appended.repeated, created=appended.created)


def _page(reply: list[Any] | None) -> RawPage | None:
    if reply is None:
        return None
    gen, revision, count, first_seq, last_seq, entries, *seam = reply
    # As RawPage would be made, in half the time: this is done for every read.
    return tuple.__new__(
        RawPage, (gen.decode(), revision, count, first_seq, last_seq, StreamRows(entries), _seam(seam))
    )


def _page_alone(reply: list[Any] | None) -> RawPage | None:
    if reply is None:
        return None
    gen, revision, count, first_seq, last_seq, *seam = reply
    return tuple.__new__(RawPage, (gen.decode(), revision, count, first_seq, last_seq, NO_ROWS, _seam(seam)))


def _seam(reply: list[Any]) -> Seam | None:
    if not reply:
        return None
    last_seq, messages, tail_first_seq, tail_first_ms, items = reply
    return tuple.__new__(Seam, (last_seq, messages, tail_first_seq, tail_first_ms, items))


def _outcome(*, repeated: bool, created: bool) -> str:
    return "repeated" if repeated else "created" if created else "written"
