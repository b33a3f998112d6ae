"""Whether the archive can be written to, while a worker runs.

The rule of this module: it tries only where that is not known. A run that has written says that it works, one that
failed that it does not; then each look tries again, for it may have been another worker that wrote since.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sessioncache.maintenance.archive_files import try_archive

__all__ = ["Archive"]

log = logging.getLogger("sessioncache_workers.archive")

LOOK_S: Final = 1.5


class Archive:
    """What one process knows of its archive."""

    def __init__(self, url: str | None) -> None:
        """Know nothing yet.

        Args:
            url: where it is; None: there is none.
        """
        self._url = url
        self._wrong: str | None = None if url else ""
        self._trying: asyncio.Task[None] | None = None

    def worked(self) -> None:
        """A file was written."""
        self._wrong = ""

    def failed(self, error: Exception) -> None:
        """A file could not be written."""
        self._wrong = _told(error)

    async def look(self) -> str:
        """What is wrong, in words; nothing, if it could be written to."""
        if self._wrong != "":
            if self._trying is None or self._trying.done():
                self._trying = asyncio.create_task(self.try_now())
            # What stands still, such as a lost network drive, stops no look, and is tried once at a time.
            await asyncio.wait({self._trying}, timeout=LOOK_S)
        return f"it did not answer within {LOOK_S:g} s" if self._wrong is None else self._wrong

    async def try_now(self) -> None:
        """Write a small file and remove it, however long that takes."""
        if not self._url:
            return
        was = self._wrong
        try:
            await asyncio.to_thread(try_archive, self._url)
        except Exception as error:  # noqa: BLE001 - file systems raise what they like
            self.failed(error)
        else:
            self.worked()
            if was:
                log.info("archive can be written to again")


def _told(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return f"cannot be written to: {reason}; overdue sessions wait for it, for a week at most"
