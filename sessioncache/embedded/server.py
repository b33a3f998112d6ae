"""A private server on a data folder: started, looked after, stopped, killed and started again.

The rule of this module: when `start` returns, this very server answers; when `stop` returns, the data are on disk.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from sessioncache.embedded.binary import Binary, find_binary
from sessioncache.embedded.config import TLS, Options, ServerConfig
from sessioncache.embedded.folder import DataFolder
from sessioncache.embedded.ports import free_port
from sessioncache.embedded.process import ServerProcess
from sessioncache.embedded.resp import Address, ErrorReply, Link, Reply, open_link
from sessioncache.errors import BackendUnavailable, ConfigurationError

__all__ = ["EmbeddedServer"]

START_LIMIT_S: Final = 30.0
"""How long a start may take; a large append-only file is read at about 100 MB/s."""

PORT_TRIES: Final = 10
LOG_BYTES_MAX: Final = 1_000_000
SOCKET_PATH_MAX: Final = 100
POLL_S: Final = 0.005

_alive: weakref.WeakSet[EmbeddedServer] = weakref.WeakSet()


class EmbeddedServer:
    """A server of one's own: no service, no container, no port to agree on.

    ```python
    with EmbeddedServer("./data") as server:
        cache = SessionCache.from_url(server.url, namespace="demo")
    ```

    It listens on 127.0.0.1 only, keeps its data in the folder and dies with the process that started it (process.py
    tells how, and folder.py what happens when that process was killed). One object is for one thread.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        binary: str | Path | Binary = "auto",
        port: int | None = None,
        unix_socket: bool = False,
        appendonly: bool = True,
        options: Options | None = None,
        password: str | None = None,
        users: tuple[str, ...] = (),
        aclfile: str | Path | None = None,
        login: tuple[str, str] | None = None,
        tls: TLS | None = None,
        sentinel: bool = False,
    ) -> None:
        """Describe the server; nothing runs before `start` or `with`.

        Args:
            folder: Where its data live; created if missing. None: a temporary one, removed by `close`.
            binary: What `find_binary` takes, or its result.
            port: A fixed port; None takes a free one.
            unix_socket: Listen on `<folder>/server.sock` as well.
            appendonly: Keep data over restarts. False is for tests.
            options: Further directives: {"maxmemory": "20mb"}.
            password: The default user's.
            users: ACL rules, one user each, without the word "user".
            aclfile: A file of such rules instead.
            login: User and password by which this object looks after the server and which `url` carries, if `users` or
                `aclfile` leave the default user without rights.
            tls: Listen with TLS only.
            sentinel: Be a Sentinel, which keeps no data; EmbeddedSentinel builds a whole group.
        """
        self.binary = binary if isinstance(binary, Binary) else find_binary(binary)
        """The binary that is started."""
        self._temporary = folder is None
        self._folder = DataFolder(Path(tempfile.mkdtemp(prefix="sessioncache-")) if folder is None else Path(folder))
        self._fixed_port = port
        self._port = port
        self._login = login or (("default", password) if password is not None else None)
        self._config = ServerConfig(
            appendonly=appendonly,
            unix_socket=self._socket_path() if unix_socket else None,
            password=password,
            users=users,
            aclfile=Path(aclfile).absolute() if aclfile is not None else None,
            tls=tls,
            sentinel=sentinel,
            options=options or {},
        )
        self._process: ServerProcess | None = None
        self._configured = False
        self._log_start = 0
        self._owner = os.getpid()

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._folder.path

    @property
    def log_file(self) -> Path:
        """What the server wrote about itself."""
        return self.folder / "server.log"

    @property
    def port(self) -> int:
        """The port it listens on; kept over `restart`."""
        if self._port is None:
            raise ConfigurationError("the embedded server has no port before it is started")
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ConfigurationError("the embedded server is not running")
        return self._process.pid

    @property
    def url(self) -> str:
        """How a client connects by TCP, credentials included."""
        return f"{'rediss' if self._config.tls else 'redis'}://{self._credentials()}127.0.0.1:{self.port}"

    @property
    def unix_url(self) -> str:
        """How a client connects by the unix socket."""
        if self._config.unix_socket is None:
            raise ConfigurationError("the embedded server has no unix socket; create it with unix_socket=True")
        return f"unix://{self._credentials()}{self._config.unix_socket}"

    @property
    def address(self) -> Address:
        """How this object reaches the server."""
        tls = self._config.tls
        pair = (tls.cert, tls.key) if tls and tls.client_certs else None
        return Address(self.port, self._login, tls.ca if tls else None, pair)

    @property
    def running(self) -> bool:
        """Whether the process is there (a paused one is)."""
        return self._process is not None and self._process.is_running()

    def start(self) -> Self:
        """Start it and wait until it answers; a running one is left alone.

        Raises:
            ConfigurationError: The folder is taken, the port is taken, or the server refuses its settings; the message
                carries the end of its log.
            BackendUnavailable: It did not answer in time.
        """
        if self.running:
            return self
        self._forget_process()
        for _ in range(PORT_TRIES):
            if self._fixed_port is None and not self._configured:
                self._port = free_port(with_bus=True)
            self._launch()
            if self._is_ready():
                return self
            if self._fixed_port is not None or self._configured:
                break
        raise ConfigurationError(f"port {self.port} is taken; stop what listens there or choose another port")

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop it in good order: SHUTDOWN, which saves; then SIGTERM; then SIGKILL, each when the time is up."""
        process = self._process
        if process is not None and process.is_running():
            process.send_signal(signal.SIGCONT)
            self._ask_to_shut_down(process, timeout_s)
            if not process.wait(timeout_s):
                process.send_signal(signal.SIGTERM)
                if not process.wait(timeout_s):
                    process.send_signal(signal.SIGKILL)
                    process.wait(timeout_s)
        self._forget_process()
        self._folder.forget()
        self._folder.release()
        _alive.discard(self)

    def kill(self) -> None:
        """SIGKILL, as a crash would; what was acknowledged is in the append-only file. The folder stays claimed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(START_LIMIT_S)
        self._forget_process()

    def pause(self) -> None:
        """Stop the process without ending it (SIGSTOP): to clients it hangs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def restart(self) -> Self:
        """Stop it and start it again on the same port."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """Stop it, and remove the folder if it is a temporary one."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *command: str | bytes | int) -> Reply:
        """Send one command, for looking after the server and for tests; sessions go through a cache.

        Raises:
            ConfigurationError: The server refused it.
            BackendUnavailable: The server is not there.
        """
        try:
            with open_link(self.address) as link:
                reply = link.send(*command)
        except OSError as error:
            raise BackendUnavailable(f"the embedded server on port {self.port} does not answer: {error}") from error
        if isinstance(reply, ErrorReply):
            raise ConfigurationError(f"the embedded server on port {self.port} refused {command[0]!r}: {reply}")
        return reply

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of its log since the latest start."""
        try:
            text = self.log_file.read_bytes()[self._log_start :].decode("utf-8", "replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _socket_path(self) -> Path:
        path = self.folder / "server.sock"
        if len(os.fsencode(path)) > SOCKET_PATH_MAX:
            raise ConfigurationError(
                f"the path of the unix socket is too long for the system: {path}; use a shorter folder"
            )
        return path

    def _credentials(self) -> str:
        if self._login is None:
            return ""
        user, password = self._login
        return f"{'' if user == 'default' else quote(user, safe='')}:{quote(password, safe='')}@"

    def _launch(self) -> None:
        """Claim the folder, write the configuration and start the process."""
        lock = self._folder.claim()
        try:
            self._write_config()
            self._log_start = self._rotate_log()
            argv = [str(self.binary.path), str(self._config_file)]
            if self._config.sentinel:
                argv.append("--sentinel")
            self._process = ServerProcess(argv, folder=self.folder, log=self.log_file, lock=lock)
            self._folder.note(self._process.pid, self.port)
        except BaseException:
            self._abandon()
            raise
        finally:
            # From here on only the server holds it: when the server dies, however it does, the lock is free.
            os.close(lock)
        _alive.add(self)

    def _rotate_log(self) -> int:
        """Keep the log bounded; returns where this start's lines begin."""
        size = self.log_file.stat().st_size if self.log_file.exists() else 0
        if size <= LOG_BYTES_MAX:
            return size
        self.log_file.replace(self.folder / "server.log.1")
        return 0

    @property
    def _config_file(self) -> Path:
        return self.folder / "server.conf"

    def _write_config(self) -> None:
        """Once per object: after that the file is the server's (CONFIG REWRITE, REPLICAOF by a Sentinel)."""
        if self._configured:
            return
        text = self._config.render(self.folder, self.port, self.binary)
        descriptor = os.open(self._config_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)

    def _is_ready(self) -> bool:
        """Wait until it answers; False if its port was taken meanwhile."""
        deadline = time.monotonic() + START_LIMIT_S
        last = "no connection"
        while time.monotonic() < deadline:
            if not self.running:
                return self._explain_end()
            try:
                with open_link(self.address) as link:
                    last = self._greet(link)
            except PermissionError as error:
                self._abandon()
                raise ConfigurationError(f"the embedded server refuses the login of its owner: {error}") from error
            except OSError as error:
                last = str(error)
            if last == "PONG":
                self._configured = True
                return True
            time.sleep(POLL_S)
        log = self.log_tail()
        self._abandon()
        raise BackendUnavailable(f"the embedded server did not answer within {START_LIMIT_S:g} s: {last}\n{log}")

    def _greet(self, link: Link) -> str:
        """PONG once it serves. Another server on that port is told apart by its process id."""
        info = link.send("INFO", "server")
        if isinstance(info, ErrorReply) and info.startswith(("NOPERM", "NOAUTH")):
            raise PermissionError(str(info))
        if not isinstance(info, bytes) or f"process_id:{self.pid}\r\n".encode() not in info:
            return "another server answers on this port"
        answer = link.send("PING")
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    def _explain_end(self) -> bool:
        """The server ended while starting: False for a taken port, else an error with the reason."""
        log = self.log_tail()
        self._abandon()
        if "Address already in use" in log:
            return False
        text = f"{self.binary.path} ({self.binary.kind} {self.binary.version_text}) did not start"
        if self._config.tls is not None and ("TLS support" in log or "tls-port" in log):
            text += ": it is built without TLS; use another binary (a distribution's redis-server has it)"
        raise ConfigurationError(f"{text}; its log ends:\n{log}")

    def _abandon(self) -> None:
        """A start that failed leaves nothing behind but its log, and not even that in a temporary folder."""
        self.kill()
        self._folder.forget()
        self._folder.release()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _ask_to_shut_down(self, process: ServerProcess, timeout_s: float) -> None:
        """SHUTDOWN until it obeys: it refuses while its first append-only file is being written."""
        deadline = time.monotonic() + timeout_s
        try:
            with open_link(self.address, timeout_s=timeout_s) as link:
                while time.monotonic() < deadline and isinstance(link.send("SHUTDOWN"), ErrorReply):
                    time.sleep(POLL_S)
        except OSError:
            # Also the normal end: the server closes the connection instead of replying. One that cannot be reached
            # gets SIGTERM at once, which means the same.
            process.send_signal(signal.SIGTERM)

    def _forget_process(self) -> None:
        if self._process is not None:
            self._process.dismiss_watcher()
            self._process = None


@atexit.register
def _close_all() -> None:
    """Stop what the program forgot to stop. A forked child inherits the list, but owns none of the servers."""
    for server in list(_alive):
        if server._owner == os.getpid():  # noqa: SLF001 - the owner is this module's business
            server.close()
