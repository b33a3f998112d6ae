"""Transcripts: the messages of a session, in the order in which the server numbered them."""

from sessioncache.transcripts.models import Appended, Entry, Replaced, TranscriptPage

__all__ = ["Appended", "Entry", "Replaced", "TranscriptPage"]
