"""A session's rooms: ordered entries under ids, beside the record and the transcript."""

from sessioncache.rooms.models import RoomEntry, RoomPage, RoomRemoved, RoomSaved, RoomUpdated

__all__ = ["RoomEntry", "RoomPage", "RoomRemoved", "RoomSaved", "RoomUpdated"]
