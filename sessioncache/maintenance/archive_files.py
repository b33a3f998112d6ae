"""The files of an archive: gzipped JSON lines, in a folder or a bucket, through fsspec.

The rule of this module: a session in a file is whole or it does not count. Its first line names it, its last one says
how many lines lie between; what is cut off, or was given up, has no last line.

```
{"session": "chat-1", "namespace": "acme", "gen": "…", "revision": 7, "archived_at": "2026-03-01T12:00:00.000Z"}
{"record": [["gen", "…"], ["title", "…"], …]}
{"messages": [[1, 1772366400000, "m", {"role": "user", …}], …]}      a payload that a codec wrote: base64, as text
{"hash": [["state", "{…}"], …], "room": "documents", "key": "documents"}     also zset and list
{"end": "chat-1", "revision": 7, "lines": 3}     of a session that had lost something, also "torn": {"messages": [5, 3]}
```

A file is named `<namespace>/<shard>/<time>-<random>.jsonl.gz` below the archive's URL.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from pydantic_core import from_json, to_json

from sessioncache.errors import ConfigurationError
from sessioncache.upkeep.models import StoredPart
from sessioncache.wire.keys import ROOMS
from sessioncache.wire.replies import whole_number

__all__ = [
    "WIDTHS",
    "ArchiveFile",
    "ArchivedSession",
    "Damaged",
    "PartCounts",
    "archive_files",
    "check_archive_url",
    "head_line",
    "part_line",
    "read_archive",
    "tail_line",
    "try_archive",
]

JSONLine: TypeAlias = dict[str, Any]
FLUSH_BYTES: Final = 1_048_576
WIDTHS: Final = {"record": 2, "hash": 2, "zset": 2, "messages": 4, "list": 1}


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path on it.

    Raises:
        ConfigurationError: fsspec is not installed, or knows nothing of such URLs.
    """
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError("an archive needs fsspec: pip install 'sessioncache[archive]'") from None
    try:
        found, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"the archive {url!r} cannot be used: {error}") from error
    return found, str(path)


def try_archive(url: str) -> None:
    """Write a small file to the archive and remove it again. Blocking: to be used in a thread.

    Raises:
        ConfigurationError: fsspec is not installed, or knows nothing of such URLs.
        Exception: whatever the file system says; it cannot be written to.
    """
    system, root = _filesystem(url)
    path = f"{root.rstrip('/')}/.try-{secrets.token_hex(4)}"
    system.makedirs(root, exist_ok=True)
    system.pipe_file(path, b"sessioncache")
    system.rm_file(path)


def check_archive_url(url: str) -> None:
    """Whether there is a file system for such URLs; asks nobody.

    Raises:
        ConfigurationError: fsspec is not installed, or knows nothing of such URLs.
    """
    _filesystem(url)


def _sync_folders(path: str) -> None:
    """Let the file's name survive a power cut, and of the shard's and the namespace's folder, which may be new."""
    for _ in range(3):
        path = os.path.dirname(path)  # noqa: PTH120 - a path of fsspec, not of this system
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class ArchiveFile:
    """One file that is being written. Blocking: to be used in a thread."""

    def __init__(self, url: str, namespace: str, shard: int, now_ms: int) -> None:
        """Begin a file.

        Raises:
            OSError: the folder or the bucket cannot be written to.
        """
        self._system, root = _filesystem(url)
        moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        folder = f"{root.rstrip('/')}/{namespace}/{shard:05}"
        self.path = f"{folder}/{moment}Z-{secrets.token_hex(4)}.jsonl.gz"
        self.size = 0
        """Bytes before they are compressed."""
        self._system.makedirs(folder, exist_ok=True)
        self._file = self._system.open(self.path, "wb")
        self._gzip = gzip.GzipFile(fileobj=self._file, mode="wb", mtime=0)
        self._buffer = io.BytesIO()

    def write(self, line: bytes) -> None:
        """Add a line."""
        self.size += self._buffer.write(line + b"\n")
        if self._buffer.tell() >= FLUSH_BYTES:
            self._flush()

    def close(self) -> None:
        """Finish the file. Returns only when all of it is where it is to be.

        Raises:
            OSError: it is not.
        """
        self._flush()
        self._gzip.close()
        size = self._file.tell()
        self._file.flush()
        with suppress(AttributeError, OSError, ValueError):
            # A file of this machine; a bucket has no such thing, and is asked below.
            os.fsync(self._file.fileno())
            _sync_folders(self.path)
        self._file.close()
        self._system.invalidate_cache()
        found = self._system.info(self.path)["size"]
        if found != size:
            raise OSError(f"the archive file {self.path} has {found} bytes where {size} were written")

    def discard(self) -> None:
        """Give the file up, as far as that is possible; what stays of it does not count."""
        with suppress(Exception):
            self._file.close()
        with suppress(Exception):
            self._system.rm_file(self.path)

    def _flush(self) -> None:
        self._gzip.write(self._buffer.getvalue())
        self._buffer = io.BytesIO()


def head_line(session_id: str, namespace: str, gen: str, revision: int, now_ms: int) -> bytes:
    """The first line of a session."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return to_json({"session": session_id, "namespace": namespace, "gen": gen, "revision": revision, "archived_at": at})


def part_line(part: StoredPart) -> bytes:
    """The line of a part of it."""
    width = WIDTHS[part.part]
    rows = [part.values[at : at + width] for at in range(0, len(part.values), width)]
    told: list[Any]
    if part.part == "messages":
        told = [[int(seq), int(ms), mark.decode(), _payload(payload)] for seq, ms, mark, payload in rows]
    elif width == 1:
        told = [_text(value) for (value,) in rows]
    else:
        told = [[_text(value) for value in row] for row in rows]
    line: JSONLine = {part.part: told}
    if part.suffix:
        line |= {"room": part.room, "key": part.suffix}
    return to_json(line)


def tail_line(session_id: str, revision: int, lines: int, torn: Mapping[str, tuple[int, int]]) -> bytes:
    """The last line of a session; of a torn one with what its record counts, and what is there."""
    line: JSONLine = {"end": session_id, "revision": revision, "lines": lines}
    return to_json(line | ({"torn": torn} if torn else {}))


class PartCounts:
    """What the parts of a session hold, to be compared with what its record counts."""

    def __init__(self) -> None:
        self._told: dict[str, bytes] = {}
        orders = (suffix for suffixes in ROOMS.values() for suffix in suffixes if suffix.endswith(":order"))
        self._items = dict.fromkeys(("messages", *ROOMS, *orders), 0)
        self._names: dict[str, set[bytes]] = {}

    def take(self, part: StoredPart) -> None:
        """Count a part."""
        if part.part == "record":
            self._told = dict(zip((name.decode() for name in part.values[::2]), part.values[1::2], strict=True))
        elif part.part == "messages":
            self._items["messages"] += len(part.values) // WIDTHS["messages"]
        elif part.suffix in self._items:
            if part.part == "hash":
                # While a hash grows, a scan of it may give an entry twice.
                self._names.setdefault(part.suffix, set()).update(part.values[::2])
                self._items[part.suffix] = len(self._names[part.suffix])
            else:
                self._items[part.suffix] += len(part.values) // WIDTHS[part.part]

    def torn(self) -> dict[str, tuple[int, int]]:
        """Of what the record counts otherwise: how many it counts, and how many are there."""
        found: dict[str, tuple[int, int]] = {}
        for kind, there in self._items.items():
            name = kind if kind == "messages" else f"n:{kind.removesuffix(':order')}"
            told = whole_number(self._told.get(name, b"0"))
            if told is not None and told != there:
                found[kind] = (told, there)
        return found


def _payload(payload: bytes) -> Any:  # noqa: ANN401 - a message, or base64
    if payload.startswith(b"{"):
        with suppress(ValueError):
            message = from_json(payload)
            if isinstance(message, dict):
                return message
    return base64.b64encode(payload).decode()


def _text(value: bytes) -> Any:  # noqa: ANN401 - text, or base64
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


@dataclass(slots=True)
class ArchivedSession:
    """A whole session out of an archive."""

    id: str
    gen: str
    revision: int
    archived_at: datetime
    parts: list[StoredPart] = field(default_factory=list)


def archive_files(url: str) -> list[str]:
    """The files of an archive, or of a folder of it, by name; the file itself, if it is one.

    Raises:
        ConfigurationError: fsspec is not installed, or knows nothing of such URLs.
        OSError: there is no such folder or file.
    """
    system, path = _filesystem(url)
    if not system.exists(path):
        raise FileNotFoundError(f"there is no {url}")
    if system.isfile(path):
        return [path]
    return sorted(name for name in system.find(path) if name.endswith((".jsonl", ".jsonl.gz")))


class Damaged(str):
    """Why a file cannot be read on, where it was not just left unfinished: what was in it may be nowhere else."""

    __slots__ = ()


def read_archive(url: str, path: str) -> Iterator[ArchivedSession | str]:
    """The whole sessions of a file, and in words what else there is. Blocking."""
    system, _root = _filesystem(url)
    with system.open(path, "rb") as raw:
        lines: Any = gzip.GzipFile(fileobj=raw, mode="rb") if path.endswith(".gz") else raw
        current: ArchivedSession | None = None
        number, is_read = 0, False
        try:
            for line in lines:
                number += 1
                told = json.loads(line)
                if "session" in told:
                    if current is not None:
                        yield f"session {current.id!r} was not written to its end"
                    at = datetime.fromisoformat(told["archived_at"])
                    current = ArchivedSession(told["session"], told["gen"], told["revision"], at)
                elif "end" in told and current is not None:
                    is_whole = told["lines"] == len(current.parts) and told["end"] == current.id
                    yield current if is_whole else f"session {current.id!r} lacks lines"
                    current = None
                elif current is not None:
                    current.parts.append(_part(told))
            is_read = True
        except EOFError as error:
            yield f"it cannot be read behind line {number}: {error}"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            yield Damaged(f"it cannot be read behind line {number}: {error}")
        if current is not None and is_read:
            yield f"session {current.id!r} was not written to its end"


def _part(told: JSONLine) -> StoredPart:
    [kind] = [name for name in WIDTHS if name in told]
    named: Any = kind
    values: list[bytes] = []
    for row in told[kind]:
        if kind == "messages":
            seq, ms, mark, payload = row
            stored = to_json(payload) if isinstance(payload, dict) else base64.b64decode(payload, validate=True)
            values += [b"%d" % seq, b"%d" % ms, mark.encode(), stored]
        else:
            values += [_bytes(value) for value in (row if WIDTHS[kind] > 1 else [row])]
    return StoredPart(named, told.get("room", ""), told.get("key", ""), tuple(values))


def _bytes(value: Any) -> bytes:  # noqa: ANN401 - as _text wrote it
    if isinstance(value, str):
        return value.encode()
    try:
        return base64.b64decode(value["base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
