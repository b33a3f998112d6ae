"""The formats that can be imported: who reads each and who writes it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import ConfigurationError
from sessioncache.importers.models import Source
from sessioncache.importers.run import Target
from sessioncache.importers.sources.archive import ArchiveSource
from sessioncache.importers.sources.bamboo import BambooSource
from sessioncache.importers.sources.brainwires import BrainwiresSource
from sessioncache.importers.sources.cognee import CogneeSource
from sessioncache.importers.sources.orcs import OrcsSource
from sessioncache.importers.sources.post_cortex import PostCortexSource
from sessioncache.importers.targets.archive import ArchiveTarget
from sessioncache.importers.targets.asset import AssetTarget
from sessioncache.importers.targets.context import ContextTarget
from sessioncache.importers.targets.qa import QATarget
from sessioncache.importers.targets.runtime import RuntimeTarget
from sessioncache.importers.targets.transcript import TranscriptTarget
from sessioncache.transport.base import AsyncTransport

__all__ = ["Format", "source_of", "target_of"]


class Format(StrEnum):
    """Whose sessions they are."""

    cognee = "cognee"
    brainwires = "brainwires"
    orcs = "orcs"
    bamboo = "bamboo"
    post_cortex = "post-cortex"
    archive = "archive"


def source_of(
    form: Format, path: Path | str | None, *, server: tuple[AsyncTransport, str] | None = None
) -> Source[Any]:
    """Open what is to be imported.

    Args:
        form: its format.
        path: of the file or folder, for all but cognee; of an archive a URL, too.
        server: a transport to the Redis that cognee has written to, and what to call it.

    Raises:
        Malformed: it is not there, or is something else.
        ConfigurationError: a server where a path is needed, or the reverse.
    """
    if form is Format.cognee:
        if server is None:
            raise ConfigurationError(
                "sessions of cognee are on a Redis: give its URL, such as redis://localhost:6379/0"
            )
        return CogneeSource(*server)
    if path is None:
        raise ConfigurationError(f"sessions of {form} are in files: give the path")
    match form:
        case Format.archive:
            return ArchiveSource(str(path))
        case Format.brainwires:
            return BrainwiresSource(Path(path))
        case Format.orcs:
            return OrcsSource(Path(path))
        case Format.bamboo:
            return BambooSource(Path(path))
        case Format.post_cortex:
            return PostCortexSource(Path(path))


def target_of(form: Format, cache: AsyncSessionCache) -> Target[Any]:
    """The store that sessions of this format go to."""
    match form:
        case Format.cognee:
            return QATarget(cache)
        case Format.brainwires:
            return TranscriptTarget(cache)
        case Format.orcs:
            return AssetTarget(cache)
        case Format.bamboo:
            return RuntimeTarget(cache)
        case Format.post_cortex:
            return ContextTarget(cache)
        case Format.archive:
            return ArchiveTarget(cache)
