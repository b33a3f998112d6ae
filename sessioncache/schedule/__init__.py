"""The schedule: when background work last came through each shard, and what there is to do, for the workers."""

from sessioncache.schedule.models import Agenda, ShardAgenda

__all__ = ["Agenda", "ShardAgenda"]
