"""What is checked in speaks of the project, not of the machine somebody wrote it on."""

import re

from tests.tidy import tree

TEXT = (".cfg", ".ini", ".json", ".lua", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", "Makefile", ".ci/run")
MACHINE = re.compile(r"(?<![\w.~$}])/(?:root|home/[\w.-]+|Users/[\w.-]+|work/(?:main|shared)|opt/wheels)(?![\w.-])")
REGISTRY = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|files\.python" + r"hosted\.org", re.IGNORECASE
)


def places(pattern: re.Pattern[str]) -> list[str]:
    """Where `pattern` occurs, this file left out."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name in tree.named(*TEXT)
        if name != "tests/tidy/test_tracked_text.py"
        for number, line in enumerate(tree.text(name).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_paths_of_a_machine() -> None:
    """No text names somebody's home, work or wheel folder."""
    assert places(MACHINE) == []


def test_no_package_registries() -> None:
    """No text says where pip is to look, which is for whoever runs it to say."""
    assert places(REGISTRY) == []
