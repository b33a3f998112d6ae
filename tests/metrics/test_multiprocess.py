"""Several processes behind one port, as gunicorn starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WORK = """
from sessioncache.metrics import PrometheusHook
from sessioncache.telemetry import CallRecord
hook = PrometheusHook(exemplar=lambda: {"trace_id": "abc"})
for _ in range(3):
    hook.on_call(CallRecord("sessions.save", 0.003, None, "stored", 5, 7))
"""
SHOW = """
from prometheus_client.multiprocess import MultiProcessCollector
from sessioncache.metrics import new_registry, render
registry = new_registry()
MultiProcessCollector(registry)
print(render(registry)[0].decode())
"""


def test_processes_of_one_server_add_up(tmp_path: Path) -> None:
    """With PROMETHEUS_MULTIPROC_DIR, any process shows the sums of all, and no label tells them apart."""

    def run(code: str) -> str:
        environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout

    run(WORK)
    run(WORK)
    page = run(SHOW)
    assert 'sessioncache_calls_total{call="sessions.save",error="none",outcome="stored"} 6.0' in page
    assert 'sessioncache_call_duration_seconds_count{call="sessions.save"} 6.0' in page
    assert "sessioncache_build_info{" in page
    assert "pid=" not in page
