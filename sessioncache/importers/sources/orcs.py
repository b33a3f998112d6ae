"""Sessions of orcs: a folder of JSON files, one SessionAsset a file, named by its id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from sessioncache.importers.models import SourceSession, Unreadable
from sessioncache.importers.sources.reading import (
    Malformed,
    digest_of,
    object_from,
    objects_in,
    streamed,
    text_in,
    time_from_ms,
)
from sessioncache.types import JSONObject, check_session_id

__all__ = ["AssetFile", "OrcsSource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFile(SourceSession):
    """One file."""

    asset: JSONObject


class OrcsSource:
    """A folder of `<id>.json`; hidden files are unfinished writes and left out, as orcs leaves them out."""

    def __init__(self, path: Path) -> None:
        """Look at the folder, or at a single file.

        Raises:
            Malformed: there is neither.
        """
        self._path = path
        if path.is_file():
            self._files = [path]
        elif path.is_dir():
            self._files = sorted(file for file in path.glob("*.json") if not file.name.startswith("."))
        else:
            raise Malformed(f"{path} is neither a folder nor a file")

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self._path)

    async def count(self) -> int | None:
        """How many files there are."""
        return len(self._files)

    def sessions(self) -> AsyncIterator[AssetFile | Unreadable]:
        """Every file, by name."""
        return streamed(self._read_all())

    def notes(self) -> list[str]:
        """Files that are not `<id>.json` are no sessions, and not spoken of."""
        return []

    async def aclose(self) -> None:
        """Nothing is open."""

    def _read_all(self) -> Iterator[AssetFile | Unreadable]:
        for file in self._files:
            try:
                yield self._read(file)
            except (ValueError, OSError) as error:
                yield Unreadable(file.name, str(error))

    def _read(self, file: Path) -> AssetFile:
        asset = object_from(file.read_bytes())
        session_id = check_session_id(text_in(asset, "id"))
        if session_id != file.stem:
            raise Malformed(f"holds the session {session_id!r}, but is called {file.name}; rename it if it is right")
        history = asset.get("history", {})
        if not isinstance(history, dict):
            raise Malformed("history is no JSON object")
        turns = objects_in(history, "turns")
        return AssetFile(
            name=file.name,
            id=session_id,
            digest=digest_of(asset),
            counts={"messages": len(turns), "compacted": len(objects_in(history, "compacted"))},
            created_at=time_from_ms(asset.get("created_at_ms"), "created_at_ms"),
            updated_at=time_from_ms(asset.get("updated_at_ms"), "updated_at_ms"),
            asset=asset,
        )
