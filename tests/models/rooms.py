"""What a session's rooms are to do, in plain Python: questions, checkpoints, context updates, logs, workspaces.

The rule of this module: as in `store.py`. A room is a dict of entries by their ids, in the order of their first saves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

from sessioncache import UNSET, Base, LimitExceeded
from tests.models.store import Refused, Reply, Store, written

__all__ = ["ENTRY", "RoomStore"]

ENTRY: Reply = {
    "context": None,
    "feedback_text": None,
    "feedback_score": None,
    "used_graph_element_ids": None,
    "memify_metadata": None,
    "used_session_context_ids": None,
}
"""The fields of a question that may be missing."""


class RoomStore(Store):
    """A namespace of the model, with rooms."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.workspaces: dict[str, Reply] = {}
        self._own = count(1)

    def put(
        self,
        name: str,
        session_id: str,
        entries: Mapping[str, Any],
        *,
        user: str | None,
        base: Base,
        operation_id: str,
        keep: int = 0,
    ) -> Reply:
        """Entries into an ordered room; `name` is the room's."""
        if done := self.recalled(session_id, f"{name}.save", operation_id):
            return done
        kept = self.open(session_id, base)
        room = kept.rooms.setdefault(name, {})
        self.refuse_entries(room, entries, keep)
        if kept.created and user is not None:
            kept.user = user
        room |= deepcopy(dict(entries))
        for oldest in list(room)[: max(0, len(room) - keep)] if keep else ():
            del room[oldest]
        self.write(session_id, kept, "room.saved", base)
        reply = {"count": len(room), **written(kept)}
        return self.remember(kept, f"{name}.save", operation_id, reply)

    def take(self, name: str, session_id: str, entry_ids: Sequence[str], *, base: Base, operation_id: str) -> Reply:
        """Entries out of an ordered room."""
        if done := self.recalled(session_id, f"{name}.delete", operation_id):
            return done
        kept = self.open(session_id, base)
        room = kept.rooms.get(name, {})
        found = [entry for entry in dict.fromkeys(entry_ids) if entry in room]
        if not found:
            return {"removed": 0, "repeated": False}
        for entry in found:
            del room[entry]
        self.write(session_id, kept, "room.deleted", base)
        return self.remember(kept, f"{name}.delete", operation_id, {"removed": len(found), "repeated": False})

    def context(self, session_id: str, updates: Mapping[str, Any], **given: Any) -> Reply:
        """`context.save`."""
        done = self.put("updates", session_id, updates, **given)
        done.pop("count", None)
        return done

    def uncontext(self, session_id: str, update_ids: Sequence[str], **given: Any) -> Reply:
        """`context.delete`."""
        return self.take("updates", session_id, update_ids, **given)

    def checkpoint(self, session_id: str, checkpoint_id: str, snapshot: object, **given: Any) -> Reply:
        """`checkpoints.save`."""
        value = {"snapshot": snapshot, "saved_ms": self.now_ms}
        return self.put("checkpoints", session_id, {checkpoint_id: value}, keep=self.policy.keep_checkpoints, **given)

    def ask(self, session_id: str, entries: Sequence[Mapping[str, Any]], **given: Any) -> Reply:
        """`qa.save`."""
        stored = {}
        for entry in entries:
            fields = ENTRY | {"created_ms": self.now_ms} | dict(entry)
            fields["memify_metadata"] = fields["memify_metadata"] or None
            stored[fields.pop("id")] = fields
        done = self.put("qa", session_id, stored, **given)
        done["ids"] = tuple(entry["id"] for entry in entries)
        return done

    def unask(self, session_id: str, entry_id: str, **given: Any) -> Reply:
        """`qa.delete`."""
        done = self.take("qa", session_id, [entry_id], **given)
        return {"deleted": done["removed"] > 0, "repeated": done["repeated"]}

    def answer(
        self, session_id: str, entry_id: str, *, base: Base, operation_id: str, extra: Mapping[str, Any], **fields: Any
    ) -> Reply:
        """`qa.update`."""
        if done := self.recalled(session_id, "qa.update", operation_id):
            return done
        kept = self.open(session_id, base)
        entry = kept.rooms.get("qa", {}).get(entry_id)
        if entry is None:
            return {"found": False, "changed": False, "revision": kept.revision, "repeated": False}
        before = deepcopy(entry)
        for name, value in fields.items():
            if value is UNSET:
                continue
            if name == "memify_metadata" and value is not None:
                value = {**(entry[name] or {}), **value} or None  # noqa: PLW2901 - the merged one
            entry[name] = deepcopy(value)
        for name, value in extra.items():
            entry.pop(name, None) if value is None else entry.update({name: value})
        changed = entry != before
        if changed:
            self.write(session_id, kept, "room.updated", base)
        reply = {"found": True, "changed": changed, "revision": kept.revision, "repeated": False}
        return self.remember(kept, "qa.update", operation_id, reply) if changed else reply

    def log(
        self,
        name: str,
        session_id: str,
        entries: Sequence[Any],
        *,
        keep: int,
        user: str | None,
        base: Base,
        operation_id: str,
    ) -> Reply:
        """Entries to the end of a log, under their positions."""
        if done := self.recalled(session_id, f"{name}.append", operation_id):
            return done
        kept = self.open(session_id, base)
        room = kept.rooms.setdefault(name, {})
        last = kept.positions.get(name, 0)
        wanted = len(room) + len(entries)
        self.refuse_length(len(room), min(wanted, keep) if keep else wanted)
        if kept.created and user is not None:
            kept.user = user
        for entry in entries:
            last += 1
            room[str(last)] = {"ms": self.now_ms, "value": deepcopy(entry)}
        kept.positions[name] = last
        for oldest in list(room)[: max(0, len(room) - keep)] if keep else ():
            del room[oldest]
        self.write(session_id, kept, f"{name}.appended", base)
        reply = {"position": last, "count": len(room), **written(kept)}
        return self.remember(kept, f"{name}.append", operation_id, reply)

    def trace(self, session_id: str, steps: Sequence[Any], **given: Any) -> Reply:
        """`traces.append`."""
        return self.log("traces", session_id, steps, keep=self.policy.keep_traces, **given)

    def use(self, session_id: str, lines: Sequence[Mapping[str, Any]], *, create: bool, **given: Any) -> Reply:
        """`usage.append`."""
        recalled = self.recalled(session_id, "usage.append", given["operation_id"])
        if not create and recalled is None and self.open(session_id, given["base"]).created:
            return {
                "stored": False,
                "position": 0,
                "count": 0,
                "gen": None,
                "revision": 0,
                "created": False,
                "repeated": False,
            }
        done = self.log("usage", session_id, lines, keep=self.policy.keep_usage, **given)
        if not done["repeated"]:
            sums = self.sessions[session_id].sums
            for line in lines:
                sums[line["model"]] = sums.get(line["model"], 0) + line["input_tokens"]
        done["stored"] = True
        return done

    def join(
        self,
        session_id: str,
        workspace_id: str,
        role: str,
        *,
        keep_role: bool,
        user: str | None,
        base: Base,
        operation_id: str,
    ) -> Reply:
        """`workspaces.add`."""
        if done := self.recalled(session_id, "workspaces.add", operation_id):
            return done
        kept = self.open(session_id, base)
        room = kept.rooms.setdefault("workspaces", {})
        had = room.get(workspace_id)
        if had and (keep_role or had["role"] == role):
            return {"created": False, "added": False, "role": had["role"], "revision": kept.revision, "repeated": False}
        self.refuse_entries(room, {workspace_id: role})
        if kept.created and user is not None:
            kept.user = user
        room[workspace_id] = {"role": role, "added_ms": had["added_ms"] if had else self.now_ms}
        self.write(session_id, kept, "workspaces.added", base)
        reply = {
            "created": kept.created,
            "added": had is None,
            "role": role,
            "revision": kept.revision,
            "repeated": False,
        }
        return self.remember(kept, "workspaces.add", operation_id, reply)

    def leave(self, session_id: str, workspace_id: str, *, base: Base, operation_id: str) -> Reply:
        """`workspaces.remove`."""
        if done := self.recalled(session_id, "workspaces.remove", operation_id):
            return done
        kept = self.open(session_id, base)
        had = kept.rooms.get("workspaces", {}).pop(workspace_id, None)
        if had is None:
            return {"role": None, "repeated": False}
        self.write(session_id, kept, "workspaces.removed", base)
        return self.remember(kept, "workspaces.remove", operation_id, {"role": had["role"], "repeated": False})

    def name_workspace(self, workspace_id: str, name: str, session_ids: Sequence[str]) -> None:
        """`workspaces.save`: each new member is a write of its own."""
        had = self.workspaces.get(workspace_id, {"created_ms": self.now_ms})
        self.workspaces[workspace_id] = had | {"name": name}
        for session_id in dict.fromkeys(session_ids):
            self.join(
                session_id,
                workspace_id,
                "Primary",
                keep_role=True,
                user=None,
                base=Base(),
                operation_id=f"own {next(self._own)}",
            )

    def drop_workspace(self, workspace_id: str) -> bool:
        """`workspaces.delete`: each membership goes by a write of its own."""
        for session_id in sorted(self.sessions):
            if workspace_id in self.sessions[session_id].rooms.get("workspaces", {}):
                self.leave(session_id, workspace_id, base=Base(), operation_id=f"own {next(self._own)}")
        return self.workspaces.pop(workspace_id, None) is not None

    def members(self, workspace_id: str) -> list[tuple[int, str, str]]:
        """Time, session and role of every member that is seen."""
        found = [
            (kept.rooms["workspaces"][workspace_id], name)
            for name, kept in self.live().items()
            if workspace_id in kept.rooms.get("workspaces", {})
        ]
        return sorted((member["added_ms"], name, member["role"]) for member, name in found)

    def refuse_length(self, before: int, after: int) -> None:
        """Refuse a log that becomes longer than the policy allows."""
        if 0 < self.policy.quota_entries < after and after > before:
            raise Refused(LimitExceeded)
