"""What is generated and checked in is what its generator would write now."""

import pytest

from scripts import unasync
from tests.tidy import tree


def test_the_sync_code_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """Each *_sync.py is what scripts/unasync.py makes of its source, and none is without one."""
    code = unasync.main(["--check"], tree.ROOT)
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err) == (0, "", "")
