# Generated from sessioncache/workspaces/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.workspaces`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.transport.base import Transport
from sessioncache.types import NO_BASE, Base, SessionId, check_session_id, check_text, check_user, datetime_from_ms
from sessioncache.wire.call import Arg, Call, Write
from sessioncache.wire.keys import Keyspace, escape
from sessioncache.wire.values import ValueEncoder, unpack_fields
from sessioncache.workspaces import lua
from sessioncache.workspaces.lua import RawMember
from sessioncache.workspaces.models import Member, MemberAdded, SessionRole, Workspace

__all__ = ["Workspaces"]

ROWS_MAX: Final = 500
WORKSPACE_ID_BYTES_MAX: Final = 512


class Workspaces:
    """Groups of sessions. Who is a member is kept with the sessions, so that a deleted session is in no workspace."""

    def __init__(self, transport: Transport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values

    def save(
        self, workspace_id: str, *, name: str, description: str = "", session_ids: Sequence[SessionId] = ()
    ) -> None:
        """Set a workspace's name and description, and make sessions members that are none yet, as Primary.

        When it was created stays; members keep their roles, and none is removed. Unknown sessions: they are created.
        One round trip, and one for each 500 sessions; every member is a step of its own, so after an error the same
        call may be made again. Slides the expiry of the sessions that become members.

        Raises:
            InvalidArgument: a bad id, name or description; nothing is written.
            LimitExceeded: a name or description is too large.
        """
        workspace = _workspace(workspace_id)
        given: list[Arg] = []
        for field, value in (("name", name), ("description", description)):
            if not isinstance(value, str):
                raise InvalidArgument(f"{field} of a workspace must be a string, not {type(value).__name__}")
            given += [field, self._values.encode(f"{field} of workspace {workspace_id!r}", value)]
        sessions = [check_session_id(session_id) for session_id in dict.fromkeys(session_ids)]
        save = lua.save(
            workspace_list=self._keys.workspace_list,
            now_override_ms=self._keys.now_override_ms,
            workspace=workspace,
            given=given,
        )
        self._transport.call(save)
        for at in range(0, len(sessions), ROWS_MAX):
            self._transport.call_many(
                [
                    self._add(session, workspace, SessionRole.PRIMARY, keep_role=True)
                    for session in sessions[at : at + ROWS_MAX]
                ]
            )

    def get(self, workspace_id: str) -> Workspace | None:
        """A workspace with its members.

        Unknown: None. Two round trips, and one more for each 500 members of a shard; slides nothing.

        Raises:
            DecodeError: the workspace or a membership is damaged.
        """
        workspace = _workspace(workspace_id)
        stored = self._transport.call(lua.get(workspace_list=self._keys.workspace_list, workspace=workspace))
        if stored is None:
            return None
        return self._workspace(workspace_id, stored, self.members(workspace_id))

    def list(self) -> Sequence[Workspace]:
        """All workspaces with their members, by id.

        Memberships of workspaces that do not exist are left out. Read in pages of 500, all shards side by side; slides
        nothing.

        Raises:
            DecodeError: a workspace or a membership is damaged.
        """
        stored: dict[str, bytes] = {}
        cursor = 0
        while True:
            call = lua.found(workspace_list=self._keys.workspace_list, cursor=cursor, limit=ROWS_MAX)
            cursor, found = self._transport.call(call)
            stored |= found
            if cursor == 0:
                break
        members: dict[str, list[Member]] = defaultdict(list)
        for row in self._rows("w\0", "w\1") if stored else ():
            if row.value and row.workspace_id in stored:
                members[row.workspace_id].append(_member(row))
        return [self._workspace(name, value, members[name]) for name, value in sorted(stored.items())]

    def count(self) -> int:
        """How many workspaces there are. One round trip, whatever their number and that of their members.

        Memberships of workspaces that do not exist do not count.
        """
        return self._transport.call(lua.count(workspace_list=self._keys.workspace_list))

    def delete(self, workspace_id: str) -> bool:
        """Remove a workspace and the memberships of its sessions; the sessions stay.

        Unknown: False. The memberships go first, each in a step of its own, then the workspace: after an error the same
        call may be made again. Slides the expiry of its members.
        """
        workspace = _workspace(workspace_id)
        rows = self._rows(f"w\0{workspace}\0", f"w\0{workspace}\1")
        for at in range(0, len(rows), ROWS_MAX):
            self._transport.call_many(
                [self._remove(row.session_id, workspace, NO_BASE, None) for row in rows[at : at + ROWS_MAX]]
            )
        call = lua.remove_metadata(workspace_list=self._keys.workspace_list, workspace=workspace)
        return self._transport.call(call)

    def add(
        self,
        workspace_id: str,
        session_id: SessionId,
        role: SessionRole | str = SessionRole.PRIMARY,
        *,
        keep_role: bool = False,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> MemberAdded:
        """Make a session a member of a workspace; a member's role changes.

        Unknown session: it is created. The workspace need not exist. Atomic, one round trip; slides the expiry if
        something changed.

        Args:
            workspace_id: which workspace.
            session_id: which session.
            role: what the session is to the workspace.
            keep_role: a member keeps the role that it has.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id or an unknown role; nothing is written.
            LimitExceeded: the session is in too many workspaces; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        if role not in list(SessionRole):
            raise InvalidArgument(f"role must be one of {', '.join(SessionRole)}, not {role!r}")
        call = self._add(
            check_session_id(session_id),
            _workspace(workspace_id),
            SessionRole(role),
            keep_role=keep_role,
            user=user,
            base=base,
            operation_id=operation_id,
        )
        return self._transport.call(call)

    def remove(
        self,
        workspace_id: str,
        session_id: SessionId,
        *,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> SessionRole | None:
        """End a session's membership, and answer the role that it had.

        No member, or unknown: None. Atomic, one round trip; slides the expiry if something changed.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        call = self._remove(check_session_id(session_id), _workspace(workspace_id), base, operation_id)
        return self._transport.call(call)

    def members(self, workspace_id: str) -> Sequence[Member]:
        """The members of a workspace, by the time at which they were added, then by session id.

        Sessions past their deadline are left out. Unknown workspace: whoever was added to it. One round trip over the
        shards, and one more for each 500 members of a shard; slides nothing.

        Raises:
            DecodeError: a membership is damaged.
        """
        workspace = _workspace(workspace_id)
        rows = self._rows(f"w\0{workspace}\0", f"w\0{workspace}\1")
        return _in_order([_member(row) for row in rows if row.value])

    def of_session(self, session_id: SessionId) -> Sequence[Member]:
        """The workspaces that a session is a member of, by the time at which it was added.

        Unknown session: none. One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: a membership is damaged.
            SessionTorn: the record counts other memberships than there are.
        """
        keys = self._keys.session(check_session_id(session_id))
        call = lua.of_session(
            session=keys, workspaces=keys.room("workspaces")[0], now_override_ms=self._keys.now_override_ms
        )
        found = self._transport.call(call)
        return _in_order([_member(RawMember(name, session_id, value)) for name, value in found.items()])

    def _add(
        self,
        session_id: str,
        workspace: str,
        role: SessionRole,
        *,
        keep_role: bool,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> Call[MemberAdded]:
        keys = self._keys.session(session_id)
        return lua.add(
            session=keys,
            workspaces=keys.room("workspaces")[0],
            write=Write.of(self._keys, "workspaces.add", base, operation_id),
            user=check_user(user),
            workspace=workspace,
            role=role.value,
            keep_role=keep_role,
        )

    def _remove(
        self, session_id: str, workspace: str, base: Base, operation_id: str | None
    ) -> Call[SessionRole | None]:
        keys = self._keys.session(session_id)
        write = Write.of(self._keys, "workspaces.remove", base, operation_id)
        return lua.remove(session=keys, workspaces=keys.room("workspaces")[0], write=write, workspace=workspace)

    def _rows(self, start: str, stop: str) -> Sequence[RawMember]:
        """The rows between two bounds in all shards, also those that nobody sees."""
        found: list[RawMember] = []
        bounds = {shard.index: f"[{start}" for shard in self._keys}
        while bounds:
            asked = list(bounds.items())
            calls = [
                lua.list_(
                    shard=self._keys.shard(index),
                    now_override_ms=self._keys.now_override_ms,
                    start=bound,
                    stop=f"({stop}",
                    limit=ROWS_MAX,
                )
                for index, bound in asked
            ]
            for (index, _bound), (last, rows) in zip(asked, self._transport.call_many(calls), strict=True):
                found += rows
                if last:
                    bounds[index] = f"({last}"
                else:
                    del bounds[index]
        return found

    def _workspace(self, workspace_id: str, stored: bytes, members: Sequence[Member]) -> Workspace:
        what = f"workspace {workspace_id!r}"
        fields = unpack_fields(what, stored)
        texts = {name: self._values.decode(what, fields[name]) for name in ("name", "description") if name in fields}
        return Workspace(
            id=workspace_id,
            name=texts.get("name", ""),
            description=texts.get("description", ""),
            created_at=datetime_from_ms(_number(what, fields, "created_ms")),
            members=tuple(_in_order(members)),
        )


def _workspace(workspace_id: object) -> str:
    """The escaped id."""
    return escape(check_text(workspace_id, what="workspace id", bytes_max=WORKSPACE_ID_BYTES_MAX))


def _member(row: RawMember) -> Member:
    what = f"membership of session {row.session_id!r} in workspace {row.workspace_id!r}"
    fields = unpack_fields(what, row.value)
    role = SessionRole.read(fields.get("role", b"").decode("utf-8", "replace"))
    return Member(row.workspace_id, row.session_id, role, datetime_from_ms(_number(what, fields, "added_ms")))


def _number(what: str, fields: dict[str, bytes], name: str) -> int:
    value = fields.get(name, b"")
    if not value.isdigit():
        raise DecodeError(f"{what} is damaged: {name} is {value!r}, not a number")
    return int(value)


def _in_order(members: Sequence[Member]) -> Sequence[Member]:
    return sorted(members, key=lambda member: (member.added_at, member.session_id, member.workspace_id))
