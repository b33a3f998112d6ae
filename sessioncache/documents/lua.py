"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessioncache.documents.models import DocumentsSaved
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["RawDocuments", "get", "save"]


@dataclass(frozen=True, slots=True)
class RawDocuments:
    """Documents as they are stored."""

    gen: str
    revision: int
    values: dict[str, bytes]


def get(
    *, session: SessionKeys, documents: Key, now_override_ms: int | None, names: Sequence[str]
) -> Call[RawDocuments | None]:
    """`documents/get.lua`."""

    def decode(reply: list[Any] | None) -> RawDocuments | None:
        if reply is None:
            return None
        gen, revision, *found = reply
        pairs = zip(found[::2], found[1::2], strict=True)
        return RawDocuments(gen.decode(), revision, {name.decode(): value for name, value in pairs})

    args = (session.escaped, optional(now_override_ms), *names)
    return Call("documents.get", load_script("documents.get"), (*session.group, documents), args, decode=decode)


def save(
    *, session: SessionKeys, documents: Key, write: Write, user: str, given: Sequence[Arg]
) -> Call[DocumentsSaved]:
    """`documents/save.lua`."""

    def decode(reply: list[Any]) -> DocumentsSaved:
        repeated, created, gen, revision, count = reply
        return DocumentsSaved(int(created) == 1, gen.decode(), int(revision), int(count), repeated == b"1")

    return Call(
        "documents.save",
        load_script("documents.save"),
        (*session.group, documents),
        (*write.args(session), user, *given),
        decode=decode,
        writes=True,
    )
