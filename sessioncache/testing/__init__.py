"""For the tests of those who use sessioncache: caches without a server, planned faults, gates, and a look at the keys.

The pytest plugin in `plugin.py` is active wherever sessioncache is installed, and offers two fixtures: `session_cache`,
on fakeredis, and `embedded_session_cache`, on a real private server.
"""

from __future__ import annotations

from sessioncache.testing.fake import fake_cache, fake_cache_sync, fake_server
from sessioncache.testing.faults import Fault, Faults
from sessioncache.testing.faulty_async import AsyncFaultyTransport
from sessioncache.testing.faulty_sync import FaultyTransport
from sessioncache.testing.gates import AsyncGatedTransport, Gate
from sessioncache.testing.keys import FoundKey, SeenKey, check_keys, scan_keys
from sessioncache.testing.recording_async import AsyncRecordingTransport
from sessioncache.testing.recording_sync import RecordingTransport

__all__ = [
    "AsyncFaultyTransport",
    "AsyncGatedTransport",
    "AsyncRecordingTransport",
    "Fault",
    "Faults",
    "FaultyTransport",
    "FoundKey",
    "Gate",
    "RecordingTransport",
    "SeenKey",
    "check_keys",
    "fake_cache",
    "fake_cache_sync",
    "fake_server",
    "scan_keys",
]
