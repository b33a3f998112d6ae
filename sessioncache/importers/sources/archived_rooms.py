"""The keys of an archived room, made to agree with each other where some of them were lost.

The rule of this module: entries are the truth, as far as they are there. What only says in which order they stand,
which entities they join, or what they sum up to, is made to fit them: a room whose keys disagree is torn, and nobody
could read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessioncache.upkeep.models import StoredPart
from sessioncache.usage.lines import sums_by_model
from sessioncache.wire.keys import ROOMS
from sessioncache.wire.replies import whole_number

__all__ = ["ORDER", "agreeing"]

ORDER = ":order"
ENDS = "relationships:ends"
LOG, SUMS, DROPPED = "usage", "usage:totals", "x:usage"


def agreeing(parts: Sequence[StoredPart], fields: Mapping[str, bytes]) -> tuple[tuple[StoredPart, ...], list[str]]:
    """The parts of a session, and which keys were not whole: `updates:order`, say.

    Args:
        parts: as they were archived; given back as they are where they agree.
        fields: of the record.
    """
    mended: list[str] = []
    for suffix in (suffix for suffixes in ROOMS.values() for suffix in suffixes):
        if not suffix.endswith(ORDER) and suffix != ENDS:
            continue
        there = _pairs(parts, suffix)
        wanted = _ends(parts) if suffix == ENDS else _order(parts, suffix, there, fields)
        if wanted.keys() == there.keys():
            continue
        mended.append(suffix)
        values = tuple(value for pair in wanted.items() for value in pair)
        whole = StoredPart("zset", suffix.partition(":")[0], suffix, values)
        parts = [*(part for part in parts if part.suffix != suffix), whole]
    lines = [line for part in parts if part.suffix == LOG for line in part.values]
    summed, dropped = _number(_pairs(parts, SUMS).get(b"lines")), _number(fields.get(DROPPED))
    if summed > dropped + len(lines):
        # The sums know of lines that are lost: these count as dropped.
        mended.append(LOG)
        parts = [_with_field(part, DROPPED, summed - len(lines)) if part.part == "record" else part for part in parts]
    elif summed < dropped + len(lines):
        mended.append(SUMS)
        parts = [*(part for part in parts if part.suffix != SUMS), _sums(lines, dropped)]
    return tuple(parts), mended


def _number(value: bytes | None) -> int:
    return whole_number(value or b"0") or 0


def _pairs(parts: Sequence[StoredPart], suffix: str) -> dict[bytes, bytes]:
    """What a key holds: fields and values, or members and scores."""
    return {
        name: value
        for part in parts
        if part.suffix == suffix
        for name, value in zip(part.values[::2], part.values[1::2], strict=True)
    }


def _order(
    parts: Sequence[StoredPart], suffix: str, there: Mapping[bytes, bytes], fields: Mapping[str, bytes]
) -> dict[bytes, bytes]:
    """The numbers of a room's entries; those that have none stand at the end."""
    room = suffix.removesuffix(ORDER)
    entries = _pairs(parts, room)
    number = max([_number(fields.get(f"x:{room}")), *(int(float(score)) for score in there.values())])
    order = {entry: score for entry, score in there.items() if entry in entries}
    for entry in sorted(entries.keys() - order.keys()):
        number += 1
        order[entry] = b"%d" % number
    return order


def _ends(parts: Sequence[StoredPart]) -> dict[bytes, bytes]:
    """A row for each entity, and two for each relationship."""
    rows = [b"=" + entity for entity in _pairs(parts, "entities")]
    for field in _pairs(parts, "relationships"):
        rows += [b">" + field, b"<" + b"\0".join(reversed(field.split(b"\0")))]
    return dict.fromkeys(rows, b"0")


def _sums(lines: Sequence[bytes], dropped: int) -> StoredPart:
    """What the lines sum up to; each stands behind its time and a space."""
    values = [b"lines", b"%d" % (dropped + len(lines))]
    for name, number in sums_by_model(line.partition(b" ")[2] for line in lines).items():
        values += [name.encode(), b"%d" % number]
    return StoredPart("hash", LOG, SUMS, tuple(values))


def _with_field(record: StoredPart, name: str, number: int) -> StoredPart:
    pairs = dict(zip(record.values[::2], record.values[1::2], strict=True))
    pairs[name.encode()] = b"%d" % number
    return StoredPart("record", "", "", tuple(value for pair in pairs.items() for value in pair))
