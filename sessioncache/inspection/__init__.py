"""Inspection: what lies in a namespace, as it is, damaged or not. Nothing here writes; for `sessioncache.audit`."""

from sessioncache.inspection.models import KeyLook, SessionLook, ShardLook

__all__ = ["KeyLook", "SessionLook", "ShardLook"]
