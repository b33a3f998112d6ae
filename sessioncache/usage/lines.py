"""Lines of a usage log: checked on their way in, and what is added up of them.

The rule of this module: no I/O. A line's content is never refused; what is no JSON object adds nothing to the sums.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sessioncache.errors import InvalidArgument, LimitExceeded
from sessioncache.rooms.logs import LOG_BATCH_MAX
from sessioncache.types import JSONObject
from sessioncache.usage.models import UsageBucket, UsageEntry, UsageRound, UsageSums
from sessioncache.wire.codec import encode_json
from sessioncache.wire.keys import escape, unescape

__all__ = ["buckets_of", "check_lines", "model_of", "parse_line", "round_of", "sums_by_model", "sums_from"]

TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "thinking_tokens",
    "total_tokens",
    "prompt_cached_tool_outputs",
    "prompt_cached_tool_tokens_saved",
    "segments_removed",
)
"""Fields of a line that are added up under their own names."""

NUMBER_MAX: Final = 10**12
"""A larger number is no count of tokens and adds nothing, so that no sum can overflow on the server."""

MODEL_BYTES_MAX: Final = 256


def check_lines(lines: object, *, bytes_max: int) -> list[bytes]:
    """The lines to store: one, or several, each as bytes, text or a JSON object.

    Raises:
        InvalidArgument: no line, an empty one, one with a newline inside, or something that is no line.
        LimitExceeded: too many, or one that is too large.
    """
    batch = (lines,) if isinstance(lines, bytes | str | Mapping) else lines
    if not isinstance(batch, Sequence):
        raise InvalidArgument(f"lines must be a line or a list of them, not {type(lines).__name__}")
    if not batch:
        raise InvalidArgument("there is no line to append; give at least one")
    if len(batch) > LOG_BATCH_MAX:
        raise LimitExceeded(f"{len(batch)} lines in one call; the limit is {LOG_BATCH_MAX}: send them in parts")
    return [_line(number, line, bytes_max) for number, line in enumerate(batch)]


def _line(number: int, line: object, bytes_max: int) -> bytes:
    if isinstance(line, Mapping):
        data = encode_json(dict(line))
    elif isinstance(line, str):
        try:
            data = line.encode()
        except UnicodeEncodeError:
            raise InvalidArgument(f"line {number} holds a lone surrogate and is not UTF-8 text") from None
    elif isinstance(line, bytes):
        data = line
    else:
        raise InvalidArgument(f"line {number} is a {type(line).__name__}; it must be bytes, text or a JSON object")
    data = data.rstrip(b"\n")
    if not data:
        raise InvalidArgument(f"line {number} is empty")
    if b"\n" in data:
        raise InvalidArgument(f"line {number} holds a newline; give the lines as a list")
    if len(data) > bytes_max:
        raise LimitExceeded(
            f"line {number} is {len(data)} bytes long; the limit is {bytes_max} (setting entry_bytes_max)"
        )
    return data


def parse_line(line: bytes) -> JSONObject | None:
    """The JSON object of a line; None: it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def model_of(record: Mapping[str, Any]) -> str:
    """Which model a line is about; empty where it does not say."""
    model = record.get("model")
    if not isinstance(model, str):
        return ""
    size = len(model.encode("utf-8", "surrogatepass"))
    return model if size <= MODEL_BYTES_MAX and model.isprintable() else ""


def _number(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= NUMBER_MAX else 0


def _metrics(record: Mapping[str, Any]) -> dict[str, int]:
    found = {name: _number(record, name) for name in TOKENS}
    found["calls"] = 1
    found["compactions"] = int(found["segments_removed"] > 0)
    found["truncations"] = int(record.get("truncation_occurred") is True)
    return {name: number for name, number in found.items() if number}


def sums_by_model(lines: Iterable[bytes]) -> dict[str, int]:
    """What the lines add to the sums: `<escaped model>:<metric>` and a number."""
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        record = parse_line(line)
        if record is not None:
            prefix = escape(model_of(record))
            for metric, number in _metrics(record).items():
                sums[f"{prefix}:{metric}"] += number
    return sums


def sums_from(fields: Mapping[str, int]) -> dict[str, UsageSums]:
    """The sums by model, from the names and numbers that `sums_by_model` made."""
    models: dict[str, dict[str, int]] = defaultdict(dict)
    known = UsageSums.__dataclass_fields__
    for name, number in fields.items():
        model, colon, metric = name.rpartition(":")
        if colon and metric in known:
            models[unescape(model)][metric] = number
    return {model: UsageSums(**metrics) for model, metrics in sorted(models.items())}


def add(sums: Iterable[UsageSums]) -> UsageSums:
    """All sums together."""
    whole: dict[str, int] = defaultdict(int)
    for part in sums:
        for name in UsageSums.__dataclass_fields__:
            whole[name] += getattr(part, name)
    return UsageSums(**whole)


def buckets_of(entries: Iterable[UsageEntry], bucket_ms: int) -> list[UsageBucket]:
    """The sums of each span of time in which there was a line, oldest first."""
    lines: dict[int, int] = defaultdict(int)
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        start = entry.ms - entry.ms % bucket_ms
        lines[start] += 1
        for metric, number in _metrics(entry.record).items() if entry.record is not None else ():
            sums[start][metric] += number
    return [UsageBucket(start, lines[start], UsageSums(**sums[start])) for start in sorted(lines)]


def round_of(entry: UsageEntry, record: JSONObject, before: UsageRound | None) -> UsageRound:
    """One line as a model call."""
    return UsageRound(
        position=entry.position,
        ms=entry.ms,
        model=model_of(record),
        input_tokens=_number(record, "input_tokens"),
        output_tokens=_number(record, "output_tokens"),
        cache_read_input_tokens=_number(record, "cache_read_input_tokens"),
        cache_creation_input_tokens=_number(record, "cache_creation_input_tokens"),
        total_tokens=_number(record, "total_tokens"),
        segments_removed=_number(record, "segments_removed"),
        pause_ms=entry.ms - before.ms if before is not None else 0,
    )
