"""What an agent did, step by step: an append-only log of a session, with the server's time at every step."""

from sessioncache.traces.models import TraceEntry, TracePage, TraceStep, make_trace_step

__all__ = ["TraceEntry", "TracePage", "TraceStep", "make_trace_step"]
