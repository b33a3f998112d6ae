"""The methods of `cache.checkpoints`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from sessioncache.checkpoints import lua
from sessioncache.checkpoints.models import Checkpoint, CheckpointSaved
from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.rooms._async import AsyncRoom
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import NO_BASE, Base, Page, SessionId, check_limit, check_text, decode_cursor, encode_cursor
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.values import ValueEncoder, unpack_fields

__all__ = ["AsyncCheckpoints"]

LIST_LIMIT_MAX: Final = 500
ID_BYTES_MAX: Final = 512


class AsyncCheckpoints:
    """Snapshots of sessions: save, list, read, remove; by session, or by id alone."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values
        self._room = AsyncRoom(transport, keys, "checkpoints", kind="c", keep="keep_checkpoints", stamped=True)

    async def save(
        self,
        session_id: SessionId,
        checkpoint_id: str,
        snapshot: object,
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> CheckpointSaved:
        """Keep a snapshot under an id; one of that id is replaced in its place.

        Where the policy says how many a session keeps, the oldest ones go. Unknown session: it is created. Atomic, one
        round trip; slides the expiry.

        Args:
            session_id: whose checkpoint.
            checkpoint_id: any non-empty text of at most 512 bytes without control characters.
            snapshot: any JSON value.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id, or a snapshot that is no JSON; nothing is written.
            LimitExceeded: the snapshot or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        payload = self._values.encode(f"checkpoint {checkpoint_id!r}", snapshot)
        saved = await self._room.save(
            session_id, [(checkpoint_id, payload)], user=user, base=base, operation_id=operation_id
        )
        return CheckpointSaved(saved.created, saved.gen, saved.revision, saved.count, saved.repeated)

    async def list(self, session_id: SessionId, *, last: int | None = None) -> Sequence[Checkpoint]:
        """The checkpoints of a session, oldest first: all, or the newest `last`.

        Unknown session: none. One round trip for each 500. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: a snapshot cannot be decoded.
            SessionTorn: the record counts more checkpoints than there are.
        """
        if last is None:
            return [
                self._checkpoint(entry.id, session_id, entry.payload) async for entry in self._room.each(session_id)
            ]
        found = await self._room.last(session_id, last)
        return [self._checkpoint(entry.id, session_id, entry.payload) for entry in found]

    async def get(self, session_id: SessionId, checkpoint_id: str) -> Checkpoint | None:
        """A session's checkpoint of an id; None where there is no such session or checkpoint.

        One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: the snapshot cannot be decoded.
            SessionTorn: the record counts more checkpoints than there are.
        """
        entry = await self._room.get(session_id, checkpoint_id)
        return None if entry is None else self._checkpoint(entry.id, session_id, entry.payload)

    async def find(self, checkpoint_id: str) -> Checkpoint | None:
        """The checkpoint of an id, whichever session has it; of several, the one saved last. None: there is none.

        One pipelined round trip over the shards. Slides nothing.

        Raises:
            DecodeError: the snapshot cannot be decoded.
        """
        check_text(checkpoint_id, what="checkpoint id", bytes_max=ID_BYTES_MAX)
        found = await self._find([(shard, [checkpoint_id]) for shard in range(self._keys.shards)])
        return found.get(checkpoint_id)

    async def list_all(self, *, limit: int = 50, cursor: str | None = None) -> Page[Checkpoint]:
        """A page of the namespace's checkpoints in the order of their ids, each as `find` answers it.

        Two pipelined round trips over the shards. A page may be shorter than asked for, where sessions have expired
        that no worker has removed yet; only its cursor tells whether it was the last. Slides nothing.

        Args:
            limit: checkpoints a page, 1 to 500.
            cursor: of the page before.

        Raises:
            InvalidArgument: a limit out of range, or a cursor that this call did not give out.
            DecodeError: a snapshot cannot be decoded.
        """
        check_limit(limit, at_least=1, at_most=LIST_LIMIT_MAX)
        after = "" if cursor is None else _after(cursor)
        replies = await self._transport.call_many(
            [lua.list_all(shard=shard, after=after, limit=limit) for shard in self._keys]
        )
        ids = {checkpoint for _, found in replies for checkpoint in found}
        # Behind the last id of a shard that has more, there may be ids that were not answered.
        horizon = min((found[-1] for done, found in replies if not done), default=None)
        known = sorted(checkpoint for checkpoint in ids if horizon is None or checkpoint <= horizon)
        chosen = known[:limit]
        wanted = [
            (shard, [checkpoint.decode() for checkpoint in chosen if checkpoint in found])
            for shard, (_, found) in enumerate(replies)
        ]
        found = await self._find([(shard, names) for shard, names in wanted if names])
        more = horizon is not None or len(known) > limit
        items = tuple(found[name.decode()] for name in chosen if name.decode() in found)
        return Page(items, encode_cursor("checkpoints.list_all", {"after": chosen[-1].decode()}) if more else None)

    async def each_all(self, *, batch: int = 50) -> AsyncIterator[Checkpoint]:
        """Every checkpoint of the namespace, in the order of their ids, read a page at a time.

        Raises:
            DecodeError: a snapshot cannot be decoded.
        """
        cursor: str | None = None
        while True:
            page = await self.list_all(limit=batch, cursor=cursor)
            for checkpoint in page:
                yield checkpoint
            cursor = page.cursor
            if cursor is None:
                return

    async def delete(
        self, session_id: SessionId, checkpoint_id: str, *, base: Base = NO_BASE, operation_id: str | None = None
    ) -> bool:
        """Remove a session's checkpoint; the session stays.

        Unknown session or checkpoint: False. Atomic, one round trip; slides the expiry if something was removed.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        removed = await self._room.delete(session_id, [checkpoint_id], base=base, operation_id=operation_id)
        return removed.removed > 0

    async def _find(self, wanted: Iterable[tuple[int, Sequence[str]]]) -> dict[str, Checkpoint]:
        """By id, of several the one saved last; one pipelined round trip."""
        calls = [
            lua.find(shard=self._keys.shard(shard), now_override_ms=self._keys.now_override_ms, checkpoints=names)
            for shard, names in wanted
        ]
        newest: dict[str, Checkpoint] = {}
        for reply in await self._transport.call_many(calls) if calls else []:
            for checkpoint_id, session_id, payload in reply:
                one = self._checkpoint(checkpoint_id, session_id, payload)
                known = newest.get(checkpoint_id)
                if known is None or (known.saved_us, known.session_id) < (one.saved_us, one.session_id):
                    newest[checkpoint_id] = one
        return newest

    def _checkpoint(self, checkpoint_id: str, session_id: str, payload: bytes) -> Checkpoint:
        what = f"checkpoint {checkpoint_id!r} of session {session_id!r}"
        stamped = unpack_fields(what, payload)
        for saved_us, snapshot in stamped.items():
            if len(stamped) == 1 and saved_us.isdigit():
                return Checkpoint(checkpoint_id, session_id, int(saved_us), self._values.decode(what, snapshot))
        raise DecodeError(f"{what} is damaged: it is not one time and one snapshot")


def _after(cursor: str) -> str:
    after = decode_cursor("checkpoints.list_all", cursor).get("after")
    if isinstance(after, str) and after:
        return check_text(after, what="checkpoint id in the cursor", bytes_max=ID_BYTES_MAX)
    raise InvalidArgument(f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor")
