"""A Dockerfile as its instructions, and a builder that carries them out in a folder instead of an image.

The builder does what an engine does with this project's Dockerfile: arguments, variables, the working folder, files
that .dockerignore lets through, and each RUN as it stands there, by `sh -c`. A base image is a fresh environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

VARIABLE = re.compile(r"\$\{(\w+)(?::([+-])((?:[^{}]|\{[^{}]*\})*))?\}|\$(\w+)")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word, and what stands behind it on one line."""

    word: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, comments left out and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            found.append(Instruction(word.upper(), rest.strip()))
    return found


def expand(text: str, known: dict[str, str]) -> str:
    """The text with `$name`, `${name}`, `${name:-word}` and `${name:+word}` replaced."""

    def value(found: re.Match[str]) -> str:
        name, sign, word = found.group(1) or found.group(4), found.group(2), found.group(3) or ""
        held = known.get(name, "")
        if sign == "+":
            return expand(word, known) if held else ""
        return held or (expand(word, known) if sign == "-" else "")

    return VARIABLE.sub(value, text)


def let_through(root: Path) -> list[str]:
    """The files that .dockerignore lets the builder see, as paths from the root."""
    rules = [
        line for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    found = []
    for allowed in (rule[1:] for rule in rules if rule.startswith("!")):
        start = root / allowed
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            name = path.relative_to(root).as_posix()
            refused = [rule for rule in rules if rule.startswith("**/")]
            parts = [*Path(name).parts]
            if path.is_file() and not any(
                fnmatch(part, rule.removeprefix("**/")) for rule in refused for part in parts
            ):
                found.append(name)
    return found


@dataclass
class Stage:
    """What a stage has become: its variables, its base, and what it declares."""

    name: str
    base: Path
    variables: dict[str, str]
    folder: Path
    declared: dict[str, str] = field(default_factory=dict)


class Builder:
    """Carries out a Dockerfile below one folder."""

    def __init__(self, root: Path, folder: Path, arguments: dict[str, str]) -> None:
        """Nothing is done yet.

        Args:
            root: the context of the build.
            folder: where everything is made.
            arguments: build arguments; those that name folders lie below `folder`.
        """
        self._root, self._folder, self._arguments = root, folder, arguments
        self.stages: list[Stage] = []
        self.files = let_through(root)

    def build(self, dockerfile: Path) -> Stage:
        """Every instruction in its order; the last stage."""
        before: dict[str, str] = {}
        for instruction in instructions(dockerfile.read_text(encoding="utf-8")):
            if instruction.word == "ARG" and not self.stages:
                name, _, default = instruction.rest.partition("=")
                before[name] = self._arguments.get(name, default)
            elif instruction.word == "FROM":
                image, _, name = expand(instruction.rest, before).partition(" AS ")
                assert re.fullmatch(r"[a-z0-9./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?", image), image
                self.stages.append(self._stage(name or "final"))
            else:
                self._carry_out(self.stages[-1], instruction)
        return self.stages[-1]

    def _stage(self, name: str) -> Stage:
        base = self._folder / f"base-{name}"
        subprocess.run([sys.executable, "-m", "venv", base], check=True)
        # What an image's own environment has: a path, and nothing of whoever builds it.
        kept = {
            word: os.environ[word]
            for word in os.environ
            if word.startswith(("PIP_", "SSL_", "REQUESTS_")) or "proxy" in word.lower()
        }
        return Stage(name, base, {"PATH": f"{base}/bin:/usr/bin:/bin", "HOME": str(self._folder), **kept}, self._folder)

    def _carry_out(self, stage: Stage, instruction: Instruction) -> None:
        rest = expand(instruction.rest, stage.variables)
        match instruction.word:
            case "ARG":
                name, _, default = instruction.rest.partition("=")
                given = self._arguments.get(name, expand(default, stage.variables))
                stage.variables[name] = given.replace("BASE", str(stage.base))
            case "ENV":
                for name, value in re.findall(r'(\w+)=("[^"]*"|\S+)', rest):
                    stage.variables[name] = value.strip('"')
            case "WORKDIR":
                stage.folder = Path(rest)
                stage.folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(stage, rest.split())
            case "RUN":
                # As it stands, for the shell: its own variables and ours are in its environment.
                ended = subprocess.run(
                    ["sh", "-c", instruction.rest],
                    cwd=stage.folder,
                    env=stage.variables,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert ended.returncode == 0, f"{instruction.rest}\n{ended.stdout}{ended.stderr}"
            case word:
                stage.declared[word] = rest

    def _copy(self, stage: Stage, words: list[str]) -> None:
        *sources, target = [word for word in words if not word.startswith("--")]
        into = stage.folder / target
        if any(word.startswith("--from=") for word in words):
            # The stages share a file system here, so what one makes is where the next one takes it.
            assert sources[0].rstrip("/") == target.rstrip("/")
            assert Path(sources[0]).is_dir()
            return
        for source in sources:
            hit = [name for name in self.files if name == source or name.startswith(f"{source}/")]
            assert hit, f".dockerignore hides {source}, or it is not there"
            for name in hit:
                # A file lands under its name, the content of a folder under the target.
                inside = Path(name).name if name == source else Path(name).relative_to(source)
                (into / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._root / name, into / inside)


def as_list(value: str) -> list[Any]:
    """The exec form of CMD and ENTRYPOINT."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
    assert found, f"{value} is not in exec form"
    return found
