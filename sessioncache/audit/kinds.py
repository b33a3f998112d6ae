"""Every kind of finding: its name, what it means, and what to do.

The rule of this module: programs rely on the names, so none is ever given another meaning. Whoever finds something that
has no name yet adds a line here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "Kind"]

RECONCILE: Final = "repaired by `sessioncache maintain run reconcile`"
REMOVED: Final = (
    "something removed or changed single keys: look at evicted_keys (maxmemory-policy must be noeviction), at who else "
    "has rights on these keys, and at failovers; restore the session from a backup, or remove it with "
    "`sessioncache sessions delete`"
)
DAMAGED: Final = (
    "something other than sessioncache wrote here, or the server's disk or memory is faulty: find out which, then "
    "restore the session from a backup, or remove it with `sessioncache sessions delete`"
)
FOREIGN: Final = "find out who writes here (ACL LOG, MONITOR for a moment), and remove what does not belong with UNLINK"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding."""

    name: str
    meaning: str
    remedy: str
    is_torn: bool = False
    """Whether the totals of the shard cannot be judged while it is there: nobody knows what the session counts for."""


_ALL: Final = (
    # Sessions
    Kind("record", "a record lacks fields, or holds something that is not what it should be", DAMAGED, is_torn=True),
    Kind(
        "schema",
        "a session was written by a newer release, and this one does not read it",
        "upgrade sessioncache here, and audit with that release",
        is_torn=True,
    ),
    Kind("orphan", "keys of a session are there without its record", REMOVED, is_torn=True),
    Kind("messages", "a record counts other messages than its transcript has", REMOVED, is_torn=True),
    Kind("sealed", "a record speaks of other sealed messages than there are", REMOVED, is_torn=True),
    Kind("ends", "first, last and newest sequence number of a record are not those of its messages", DAMAGED),
    Kind("bytes", "a record counts other bytes than its messages take", DAMAGED, is_torn=True),
    Kind("message", "a message is no entry of a transcript, or cannot be decoded", DAMAGED),
    Kind("place", "what stands in front of a sealed chunk is unreadable, or not what the chunk holds", DAMAGED),
    Kind("chunk", "a sealed chunk cannot be opened: its checksum or its columns are wrong", DAMAGED),
    Kind("seam", "sealed chunks overlap, or do not end where the rest of the transcript begins", DAMAGED),
    Kind(
        "no-dictionary",
        "a sealed chunk needs a dictionary that its shard does not have",
        "copy it from `dictionaries` of another shard, or from a backup: without it the messages cannot be read",
    ),
    Kind("room", "a record counts other entries of a room than there are", REMOVED, is_torn=True),
    Kind("room-index", "a room's entries and the index that orders them are not the same", DAMAGED),
    Kind("entry", "an entry of a room cannot be read", DAMAGED),
    Kind("usage-sums", "the sums of a usage log speak of other lines than were ever appended", DAMAGED),
    Kind("operations", "the remembered operations are not pairs of an id and a reply, or too many", DAMAGED),
    Kind(
        "session-lease",
        "the lease of a session has a holder without token or end",
        "it ends by itself: wait, look again",
    ),
    # Keys
    Kind("type", "a key is of another Redis type than the catalogue says", DAMAGED, is_torn=True),
    Kind(
        "expiry",
        "a key expires earlier, later or never, though its session, or its kind, says otherwise",
        "something ran EXPIRE or PERSIST, or restored single keys; the next write that moves the session's deadline "
        "sets all its keys right; what is left over without an expiry gets one by `sessioncache maintain run collect`",
    ),
    Kind("foreign", "a key lies in the namespace that the catalogue does not know", FOREIGN),
    Kind("misplaced", "a key, or an entry of a list, lies in a shard where its session does not belong", FOREIGN),
    # Lists
    Kind("by-updated", "the list by last write lacks a session, or has it at another time", RECONCILE),
    Kind("by-user", "the list by user lacks a session, or has it under another user", RECONCILE),
    Kind("deadlines", "the list of deadlines lacks a session, or has it at another time", RECONCILE),
    Kind(
        "unlisted",
        "a session is there that no list knows",
        "repaired by `sessioncache maintain run adopt`, and `sessioncache maintain run reconcile` after it",
    ),
    Kind("ghost", "a list names a session that is not there", RECONCILE),
    Kind(
        "no-link", "a checkpoint, membership or source of a session cannot be found without the session's id", RECONCILE
    ),
    Kind("stale-link", "the links name something that its session does not have", RECONCILE),
    Kind("dependents", "a row of the code dependencies cannot be read", FOREIGN),
    # Shards
    Kind("totals", "the totals of a shard are not the sums of its records", RECONCILE),
    Kind(
        "feed-gap",
        "numbers are missing inside a shard's feed",
        "subscribers that come to it get a FeedGap and read anew; find out who removes entries (XDEL, XTRIM)",
    ),
    Kind(
        "feed-head",
        "the newest change of a shard's feed is not the one that was counted last",
        "the next write sets the numbers right; until then subscribers may get a FeedGap; find out who removed entries "
        "or set the totals",
    ),
    Kind("policy", "a shard's copy of the retention policy is not the namespace's", RECONCILE),
    Kind("dictionary", "a dictionary is not the one that its name says", DAMAGED),
    Kind(
        "lease",
        "the lease of a background job cannot be read",
        "remove its key with UNLINK while no worker runs: the job takes a new one",
    ),
    # The namespace
    Kind(
        "config",
        "what is stored of the namespace itself cannot be read",
        "restore the key `config` from a backup; a damaged policy is set anew with `sessioncache retention set`",
    ),
    Kind("workspace", "what a workspace says of itself cannot be read", DAMAGED),
)

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in _ALL}
"""By name, in the order in which they are told."""
