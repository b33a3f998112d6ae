"""What the server says it did: CPU, bytes and reads, from INFO before and after.

The rule of this module: counted by the server, for every subject alike; what looking costs is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessioncache.embedded import EmbeddedServer

__all__ = ["Meter", "Reading"]


@dataclass(frozen=True)
class Reading:
    """What the server did between two looks."""

    cpu_us: float
    """CPU of the server's main thread, in user and system mode."""

    process_cpu_us: float
    """CPU of all its threads; the one that synchronises the append-only file is another."""

    bytes_in: int
    """Bytes that clients sent."""

    reads: int
    """Times that the server read from a connection. A request that is sent and waited for is one read, so with a
    connection a task this counts round trips; a pipeline is one, whatever is in it."""

    commands: dict[str, int]
    """Calls by command, those made inside scripts included."""


class Meter:
    """Looks at one server."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._last = self._look()
        self._cost = Reading(0.0, 0.0, 0, 0, {})
        self._cost = self.since_last()

    def since_last(self) -> Reading:
        """What happened since this was asked, or the meter was made."""
        before, self._last = self._last, self._look()
        after = self._last
        commands = {
            name: calls - before.commands.get(name, 0)
            for name, calls in after.commands.items()
            if calls > before.commands.get(name, 0) and name != "info"
        }
        return Reading(
            after.cpu_us - before.cpu_us,
            after.process_cpu_us - before.process_cpu_us,
            after.bytes_in - before.bytes_in - self._cost.bytes_in,
            after.reads - before.reads - self._cost.reads,
            commands,
        )

    def _look(self) -> Reading:
        reply = self._server.command("INFO", "cpu", "stats", "commandstats")
        text = reply.decode() if isinstance(reply, bytes) else str(reply)
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        everything = float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])
        # Not on every system.
        ways = [float(fields.get(f"used_cpu_{way}_main_thread", fields[f"used_cpu_{way}"])) for way in ("user", "sys")]
        commands = {
            name.removeprefix("cmdstat_"): int(value.split(",")[0].removeprefix("calls="))
            for name, value in fields.items()
            if name.startswith("cmdstat_")
        }
        return Reading(
            sum(ways) * 1e6,
            everything * 1e6,
            int(fields["total_net_input_bytes"]),
            int(fields["total_reads_processed"]),
            commands,
        )
