"""What scripts/unasync.py makes of async code, and when it refuses."""

from pathlib import Path

import pytest

from scripts import unasync

ASYNC = '''"""Owns an example."""

from collections.abc import AsyncIterator


class AsyncThing:
    """A thing."""

    async def names(self) -> AsyncIterator[str]:
        """Yields names."""
        async for name in self.all():
            yield await name
'''

SYNC = '''# Generated from sessioncache/things/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Owns an example."""

from collections.abc import Iterator


class Thing:
    """A thing."""

    def names(self) -> Iterator[str]:
        """Yields names."""
        for name in self.all():
            yield name
'''


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with one async source, and a table of just the substitutions that it uses."""
    (tmp_path / "sessioncache" / "things").mkdir(parents=True)
    source(tmp_path).write_text(ASYNC)
    used = unasync.translate(ASYNC)[1]
    table = tuple(entry for entry in unasync.SUBSTITUTIONS if entry[0] in used)
    monkeypatch.setattr(unasync, "SUBSTITUTIONS", table)
    return tmp_path


def source(root: Path) -> Path:
    """The async source below `root`."""
    return root / "sessioncache" / "things" / "_async.py"


def twin(root: Path) -> Path:
    """The generated file below `root`."""
    return root / "sessioncache" / "things" / "_sync.py"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("async def get(self) -> None: ...", "def get(self) -> None: ..."),
        ("x = await self.call(a)", "x = self.call(a)"),
        ("async with a, b:", "with a, b:"),
        ("[x async for x in y]", "[x for x in y]"),
        ("async def __aenter__(self):", "def __enter__(self):"),
        ("AsyncSessionCache(AsyncTransport)", "SessionCache(Transport)"),
        ("AsyncIterator[int]", "Iterator[int]"),
        ("await self.aclose()", "self.close()"),
        ("from sessioncache.sessions._async import x", "from sessioncache.sessions._sync import x"),
        ("from sessioncache.transport.colour_async import Lock", "from sessioncache.transport.colour_sync import Lock"),
        ("asynchronous, an Async word", "asynchronous, an Async word"),
    ],
)
def test_translates(text: str, expected: str) -> None:
    """Each construct that the sources use has its sync form, and plain words stay as they are."""
    assert unasync.translate(text)[0] == expected


def test_writes_the_twin(root: Path) -> None:
    """A run writes the formatted twin with a header that names its source."""
    assert unasync.main([], root) == 0
    assert twin(root).read_text() == SYNC


def test_second_run_changes_nothing(root: Path) -> None:
    """What a run wrote passes --check and is left alone by the next run."""
    unasync.main([], root)
    before = twin(root).stat().st_mtime_ns
    assert unasync.main(["--check"], root) == 0
    assert unasync.main([], root) == 0
    assert twin(root).stat().st_mtime_ns == before


def test_check_reports_a_missing_twin(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check names a twin that is not there, exits with 1 and does not write it."""
    assert unasync.main(["--check"], root) == 1
    assert "sessioncache/things/_sync.py is missing" in capsys.readouterr().err
    assert not twin(root).exists()


def test_check_reports_a_stale_twin(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check names a twin that was edited by hand."""
    unasync.main([], root)
    twin(root).write_text(SYNC + "x = 1\n")
    assert unasync.main(["--check"], root) == 1
    assert "sessioncache/things/_sync.py is stale" in capsys.readouterr().err


def test_check_reports_an_orphan_that_a_run_deletes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A twin whose source is gone fails --check, and a run removes it."""
    unasync.main([], root)
    source(root).unlink()
    assert unasync.main(["--check"], root) == 1
    assert "sessioncache/things/_sync.py is orphaned" in capsys.readouterr().err
    assert unasync.main([], root) == 0
    assert not twin(root).exists()


def test_never_replaces_a_hand_written_file(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that lies where a twin belongs but lacks the header is kept, and the run fails."""
    twin(root).write_text("x = 1\n")
    assert unasync.main([], root) == 1
    assert "is not a generated file" in capsys.readouterr().err
    assert twin(root).read_text() == "x = 1\n"


def test_hand_written_pairs_are_left_alone(root: Path) -> None:
    """The modules listed in HAND_WRITTEN get no twin."""
    for name in unasync.HAND_WRITTEN:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("import asyncio\n")
    assert unasync.sources(root) == ["sessioncache/things/_async.py"]


def test_refuses_what_it_cannot_translate(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code that would stay async is an error that names the file and shows the line."""
    source(root).write_text(ASYNC + "\n\nasyncio.create_task(x)\n")
    assert unasync.main([], root) == 1
    assert "things/_async.py: no substitution for: asyncio.create_task(x)" in capsys.readouterr().err


def test_check_reports_an_unused_substitution(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An entry of the table that no source uses fails --check; twins are written all the same."""
    monkeypatch.setattr(unasync, "SUBSTITUTIONS", (*unasync.SUBSTITUTIONS, (r"\bnowhere\b", "")))
    assert unasync.main([], root) == 0
    assert unasync.main(["--check"], root) == 1
    assert "nowhere" in capsys.readouterr().err


def test_an_empty_tree_is_in_order(tmp_path: Path) -> None:
    """Without sources nothing is generated and no entry of the table counts as unused."""
    assert unasync.main(["--check"], tmp_path) == 0
