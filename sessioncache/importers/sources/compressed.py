"""Files that may be compressed with gzip or zstd.

The rule of this module: what a file is, its first bytes say; its name is not asked.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Final

from sessioncache.importers.sources.reading import Malformed

__all__ = ["read_file"]

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"


def read_file(path: Path) -> bytes:
    """What is in the file, decompressed.

    Raises:
        Malformed: it cannot be read, or its compressed data is damaged or cut off.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Malformed(f"{path} cannot be read: {error}") from error
    if data.startswith(GZIP):
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise Malformed(f"{path}: damaged gzip data: {error}") from error
    if data.startswith(ZSTD):
        return _from_zstd(path, data)
    return data


def _from_zstd(path: Path, data: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 - only where a file needs it

    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
            return reader.read()
    except zstandard.ZstdError as error:
        raise Malformed(f"{path}: damaged zstd data: {error}") from error
