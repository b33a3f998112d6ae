"""Snapshots of sessions under ids of their own, found with their session or without it."""

from sessioncache.checkpoints.models import Checkpoint, CheckpointSaved

__all__ = ["Checkpoint", "CheckpointSaved"]
