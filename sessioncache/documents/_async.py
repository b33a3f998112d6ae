"""The methods of `cache.documents`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sessioncache.documents import lua
from sessioncache.documents.models import DocumentSet, DocumentsSaved
from sessioncache.errors import InvalidArgument, LimitExceeded
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import NO_BASE, Base, SessionId, check_session_id, check_text, check_user
from sessioncache.wire.call import Arg, Write
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.values import ValueEncoder

__all__ = ["AsyncDocuments"]

DOCUMENTS_MAX: Final = 500
NAME_BYTES_MAX: Final = 256


class AsyncDocuments:
    """Named JSON documents of sessions: read, set, remove."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values

    async def get(self, session_id: SessionId, *names: str) -> DocumentSet:
        """The named documents, or all of them, as they stood together.

        Unknown session: `exists` is False. One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: a document cannot be decoded.
            SessionTorn: the record counts more documents than there are.
        """
        keys = self._keys.session(check_session_id(session_id))
        raw = await self._transport.call(
            lua.get(
                session=keys,
                documents=keys.room("documents")[0],
                now_override_ms=self._keys.now_override_ms,
                names=[_name(name) for name in names],
            )
        )
        if raw is None:
            return DocumentSet({}, exists=False, gen=None, revision=0)
        values = {name: self._values.decode(f"document {name!r}", payload) for name, payload in raw.values.items()}
        return DocumentSet(values, exists=True, gen=raw.gen, revision=raw.revision)

    async def save(
        self,
        session_id: SessionId,
        values: Mapping[str, Any],
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> DocumentsSaved:
        """Set documents by name; None removes one, those not named stay.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Args:
            session_id: whose documents.
            values: any JSON values by name, 1 to 500.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad name, no document, or a value that is no JSON; nothing is written.
            LimitExceeded: a document or their number is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        if not values:
            raise InvalidArgument("there is no document to save; give at least one")
        if len(values) > DOCUMENTS_MAX:
            raise LimitExceeded(f"{len(values)} documents in one call; the limit is {DOCUMENTS_MAX}")
        given: list[Arg] = []
        for name, value in values.items():
            given += [_name(name), b"" if value is None else self._values.encode(f"document {name!r}", value)]
        write = Write.of(self._keys, "documents.save", base, operation_id)
        call = lua.save(
            session=keys, documents=keys.room("documents")[0], write=write, user=check_user(user), given=given
        )
        return await self._transport.call(call)


def _name(name: object) -> str:
    return check_text(name, what="name of a document", bytes_max=NAME_BYTES_MAX)
