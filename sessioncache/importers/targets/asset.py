"""Sessions of orcs go to contract 003."""

from __future__ import annotations

from collections.abc import Mapping

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import InvalidArgument
from sessioncache.importers.sources.orcs import AssetFile
from sessioncache.importers.targets.checks import check_messages, check_values
from sessioncache.sessions.models import Session
from sessioncache.stores.asset_async import AsyncAssetStore
from sessioncache.stores.asset_models import ASSET_VERSION, SessionAsset
from sessioncache.stores.stored_model import dumped, given

__all__ = ["AssetTarget"]


class AssetTarget:
    """Writes each file as one asset."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache
        self._store = AsyncAssetStore(cache)

    def check(self, source: AssetFile) -> None:
        """Refuse what is no asset of a known version, or has parts that are too large."""
        asset = _asset(source)
        if asset.version != ASSET_VERSION:
            raise InvalidArgument(f"the asset has version {asset.version}; this release writes {ASSET_VERSION}")
        check_messages([dumped(turn) for turn in asset.history.turns], self._cache.settings)
        check_values(asset.model_dump(mode="json", exclude={"history": {"turns"}}), self._cache.settings)

    def opening(self, source: AssetFile) -> Session:
        """An empty record."""
        return Session(id=source.id)

    async def write(self, source: AssetFile) -> None:
        """Save the asset."""
        await self._store.save(_asset(source))

    async def count(self, source: AssetFile) -> Mapping[str, int]:
        """How many turns and summaries the asset has that is loaded; its checksum is looked at on the way."""
        history = (await self._store.load(source.id)).history
        return {"messages": len(history.turns), "compacted": len(history.compacted)}


def _asset(source: AssetFile) -> SessionAsset:
    return given(SessionAsset, source.asset, what="the asset")
