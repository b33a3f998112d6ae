"""Sources and symbols on their way to Redis and back, and what a source's state means.

The rule of this module: no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.freshness.models import (
    Block,
    FreshnessEntry,
    FreshnessStatus,
    Function,
    SourceReference,
    SourceScope,
    SymbolId,
    WholeFile,
)
from sessioncache.types import JSONObject, check_text, datetime_from_ms, ms_from_datetime
from sessioncache.wire.call import Arg
from sessioncache.wire.keys import escape, unescape
from sessioncache.wire.values import ValueEncoder, unpack_fields

__all__ = [
    "Source",
    "check_entry_id",
    "check_hash",
    "check_path",
    "decode_source",
    "dependent_of",
    "judge",
    "names_symbol",
    "ranges_of",
    "row_of",
    "source_args",
    "symbol_of",
]

ENTRY_ID_BYTES_MAX: Final = 512
TEXT_BYTES_MAX: Final = 4_096
"""Of paths, and of names and types of symbols."""
HASH_BYTES_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Source:
    """What one session says about an entry."""

    reference: SourceReference
    session_id: str
    stale: bool
    registered_us: int

    @property
    def age(self) -> tuple[int, str]:
        """Sorts the one that was registered last to the end."""
        return self.registered_us, self.session_id


def check_entry_id(entry_id: object) -> str:
    """The id of an entry, if it is one."""
    return check_text(entry_id, what="entry id", bytes_max=ENTRY_ID_BYTES_MAX)


def check_path(path: object) -> str:
    """The path of a file, if it is one."""
    return check_text(path, what="file path", bytes_max=TEXT_BYTES_MAX)


def check_hash(what: str, value: object) -> bytes:
    """A hash, if it is one.

    Raises:
        InvalidArgument: not bytes, or too long.
    """
    if not isinstance(value, bytes):
        raise InvalidArgument(f"{what} must be bytes, not {type(value).__name__}")
    if len(value) > HASH_BYTES_MAX:
        raise InvalidArgument(f"{what} is {len(value)} bytes long; the limit is {HASH_BYTES_MAX}")
    return value


def source_args(values: ValueEncoder, reference: SourceReference) -> list[Arg]:
    """Names and values of what is stored of a reference besides its path."""
    scope: JSONObject
    match reference.scope:
        case WholeFile(whole_file):
            scope = {"kind": "file", "whole_file": whole_file}
        case Function(name, ast_hash, symbol_type, imports):
            check_text(name, what="name of a symbol", bytes_max=TEXT_BYTES_MAX)
            digest = check_hash("ast_hash", ast_hash).hex()
            scope = {"kind": "function", "name": name, "ast_hash": digest}
            scope |= {"symbol_type": symbol_type, "imports": list(imports)}
        case Block(start_line, end_line, content_hash):
            digest = check_hash("content_hash of a block", content_hash).hex()
            scope = {"kind": "block", "start_line": start_line, "end_line": end_line, "content_hash": digest}
        case other:
            raise InvalidArgument(f"scope must be a WholeFile, Function or Block, not {type(other).__name__}")
    return [
        "captured_ms",
        ms_from_datetime(reference.captured_at),
        "content_hash",
        check_hash("content_hash", reference.content_hash),
        "scope",
        values.encode(f"scope of entry {reference.entry_id!r}", scope),
    ]


def decode_source(values: ValueEncoder, entry_id: str, session_id: str, payload: bytes) -> Source:
    """What a session says about an entry. The path comes first, then names and values.

    Raises:
        DecodeError: it is damaged.
    """
    what = f"source of entry {entry_id!r}"
    length, colon, rest = payload.partition(b":")
    size = int(length) if colon and length.isdigit() else len(payload)
    if len(rest) < size:
        raise DecodeError(f"{what} is damaged: it does not begin with a path")
    fields = unpack_fields(what, rest[size:])
    numbers = [fields.get(name, b"") for name in ("status", "registered_us", "captured_ms")]
    if "content_hash" not in fields or "scope" not in fields or not all(number.isdigit() for number in numbers):
        raise DecodeError(f"{what} is damaged: a part of it is missing or no number")
    stale, registered_us, captured_ms = map(int, numbers)
    try:
        reference = SourceReference(
            entry_id=entry_id,
            file_path=unescape(rest[:size]),
            content_hash=fields["content_hash"],
            captured_at=datetime_from_ms(captured_ms),
            scope=_scope(values.decode(what, fields["scope"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{what} is damaged: {error!r}") from error
    return Source(reference, session_id, stale != FreshnessStatus.FRESH, registered_us)


def _scope(stored: JSONObject) -> SourceScope:
    match stored["kind"]:
        case "function":
            digest = bytes.fromhex(stored["ast_hash"])
            return Function(stored["name"], digest, stored["symbol_type"], tuple(stored["imports"]))
        case "block":
            return Block(stored["start_line"], stored["end_line"], bytes.fromhex(stored["content_hash"]))
        case "file":
            return WholeFile(stored["whole_file"])
    raise ValueError(f"unknown scope {stored['kind']!r}")


def judge(entry_id: str, source: Source | None, file_hash: bytes, ast_hash: bytes | None) -> FreshnessEntry:
    """Whether an entry is fresh: what was marked stale is stale; two AST hashes decide over the file's."""
    if source is None:
        return FreshnessEntry(entry_id, "", FreshnessStatus.UNKNOWN, b"", file_hash)
    reference = source.reference
    same = reference.content_hash == file_hash
    if ast_hash and isinstance(reference.scope, Function) and reference.scope.ast_hash:
        same = reference.scope.ast_hash == ast_hash
    status = FreshnessStatus.FRESH if same and not source.stale else FreshnessStatus.STALE
    return FreshnessEntry(entry_id, reference.file_path, status, reference.content_hash, file_hash)


def names_symbol(source: Source, symbol: SymbolId) -> bool:
    """Whether a source is this symbol."""
    reference = source.reference
    named = isinstance(reference.scope, Function) and reference.scope.name == symbol.symbol_name
    return named and reference.file_path == symbol.file_path


def symbol_of(symbol: object) -> tuple[str, str, str]:
    """File, name and type of a symbol, escaped; the file may be empty.

    Raises:
        InvalidArgument: not a symbol, or a bad text.
    """
    if not isinstance(symbol, SymbolId):
        raise InvalidArgument(f"a symbol must be a SymbolId, not {type(symbol).__name__}")
    check_text(symbol.symbol_name, what="name of a symbol", bytes_max=TEXT_BYTES_MAX)
    for what, text in (("file path", symbol.file_path), ("type of a symbol", symbol.symbol_type)):
        if text != "":
            check_text(text, what=what, bytes_max=TEXT_BYTES_MAX)
    return escape(symbol.file_path), escape(symbol.symbol_name), escape(symbol.symbol_type)


def row_of(symbol: SymbolId, depends: SymbolId) -> str:
    """The row that says that a symbol has another one that depends on it."""
    file, name, _ = symbol_of(symbol)
    from_file, from_name, from_type = symbol_of(depends)
    return f"{name}\0{file}\0{from_file}\0{from_name}\0{from_type}"


def ranges_of(symbol: SymbolId) -> list[tuple[str, str]]:
    """Bounds of the rows of a symbol: of itself, and of its mere name; without a file, of all symbols of that name."""
    file, name, _ = symbol_of(symbol)
    prefixes = [f"{name}\0{file}\0", f"{name}\0\0"] if file else [f"{name}\0"]
    return [(f"[{prefix}", f"({prefix[:-1]}\1") for prefix in prefixes]


def dependent_of(row: str) -> SymbolId:
    """The symbol that depends on another one."""
    _name, _file, *depends = row.split("\0")
    return SymbolId(*map(unescape, depends))
