"""Writes what the Helm chart takes from elsewhere: rules and dashboards, the tables of its README, parts of its schema.

Its one rule: Helm reads only what lies inside the chart, so the chart holds copies; whoever wants to change one changes
its source. The sources are grafana/, the comments in values.yaml, and the settings of the cache and the workers.

    python scripts/chart.py            write everything
    python scripts/chart.py --check    change nothing; list the files that are stale, and exit with 1
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from scripts.reference import table
from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings
from sessioncache_workers.settings import WorkerSettings, cache_settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
CHART = Path("deploy/helm/sessioncache")
COPIES = {"alerts": ("grafana/alerts", "*.rules.yaml"), "dashboards": ("grafana/dashboards", "*.json")}
"""Folder below files/, and where it comes from."""

OWN_WORKER_VALUES = ("namespaces", "queue_url", "host", "port", "grace_period_s")
"""Settings of the workers that have values of their own in the chart."""

OWN_CACHE_VALUES = (
    "url",
    "namespace",
    "username",
    "password",
    "sentinel_username",
    "sentinel_password",
    "tls_ca_file",
    "tls_cert_file",
    "tls_key_file",
    "tls_check_hostname",
    "encryption_keys",
)
"""Settings of the cache that have, or that no manifest may hold."""

KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9_]*):(?P<rest>.*)$")
MARKED = re.compile(
    r"(<!-- generated from values\.yaml by scripts/chart\.py: values -->\n).*?(<!-- end of values -->)", re.DOTALL
)
CHOICES_MAX = 100


@dataclass(frozen=True)
class Value:
    """One line of the README's tables."""

    path: tuple[str, ...]
    default: Any
    about: str


def documented(text: str) -> Iterator[Value]:
    """Every value of a values.yaml that a comment `# -- …` explains, in its order.

    Raises:
        ValueError: a value that nobody explains.
    """
    tree = yaml.safe_load(text)
    path: list[str] = []
    about: list[str] = []
    covered = -1  # how deep the explained value is whose inside is not looked at
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            about = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and about:
            about.append(stripped.removeprefix("#").strip())
        found = KEY.match(line)
        if found is None:
            continue
        depth = len(found["indent"]) // 2
        if 0 <= covered < depth:
            continue
        covered = -1
        path[depth:] = [found["key"]]
        default = _at(tree, path)
        if about:
            yield Value(tuple(path), default, " ".join(about))
            about, covered = [], depth
        elif not isinstance(default, dict) or not default:
            raise ValueError(f"values.yaml: {'.'.join(path)} has no comment `# -- …`")


def _at(tree: Any, path: list[str]) -> Any:  # noqa: ANN401 - whatever YAML holds
    for part in path:
        tree = tree[part]
    return tree


def readme(text: str, values: str) -> str:
    """The README with its tables as they would be written now: one for the top level, one for each group."""
    groups: dict[str, list[Value]] = {}
    for value in documented(values):
        groups.setdefault(value.path[0] if len(value.path) > 1 else "", []).append(value)
    parts = []
    for name, lines in groups.items():
        rows = [(f"`{'.'.join(line.path)}`", f"`{json.dumps(line.default)}`", line.about) for line in lines]
        parts.append((f"### {name}\n\n" if name else "") + table(("Value", "Default", "Means"), rows))
    return MARKED.sub(lambda found: found.group(1) + "\n" + "\n".join(parts) + "\n" + found.group(2), text)


def setting_schema(model: type[BaseModel], prefix: str, left_out: tuple[str, ...]) -> dict[str, Any]:
    """What may stand below `worker.settings` or `cache.settings`."""
    known = model.model_json_schema(by_alias=False)["properties"]
    properties = {}
    for name in model.model_fields:
        if name in left_out:
            continue
        given = known[name]
        one = next((kind for kind in given.get("anyOf", []) if kind.get("type") != "null"), given)
        kept = ("type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        shown = {word: one[word] for word in kept if word in one}
        properties[name] = {"description": f"{prefix}{name.upper()}"} | _choices(name, shown, model)
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _choices(name: str, shown: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Numbers of a small range are tried one by one: some are refused by a rule that the model's schema cannot say."""
    first, last = shown.get("minimum"), shown.get("maximum")
    if shown.get("type") != "integer" or first is None or last is None or last - first > CHOICES_MAX:
        return shown
    load = load_settings if model is WorkerSettings else cache_settings
    taken = []
    for number in range(first, last + 1):
        try:
            load(**{name: number})
        except ConfigurationError:
            continue
        taken.append(number)
    return shown if len(taken) == last - first + 1 else {"enum": taken}


def schema(text: str, values: str) -> str:
    """The schema with descriptions out of values.yaml, and the settings that there are."""
    tree = json.loads(text)
    worker = tree["properties"]["worker"]["properties"]
    worker["settings"] = setting_schema(WorkerSettings, "SESSIONCACHE_WORKER_", OWN_WORKER_VALUES)
    cache = tree["properties"]["cache"]["properties"]
    cache["settings"] = setting_schema(Settings, "SESSIONCACHE_", OWN_CACHE_VALUES)
    for value in documented(values):
        node = tree
        for part in value.path:
            node = node["properties"][part]
        about = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", value.about)
        # In draft 07 nothing beside a $ref is read, so a reference is wrapped.
        if "$ref" in node:
            node["allOf"] = [{"$ref": node.pop("$ref")}]
        node["description"] = about
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def wanted(root: Path = ROOT) -> dict[Path, str | None]:
    """Every generated file with the text that it should have; None: it should not be there."""
    chart = root / CHART
    values = (chart / "values.yaml").read_text(encoding="utf-8")
    found: dict[Path, str | None] = {}
    for folder, (source, pattern) in COPIES.items():
        for old in (chart / "files" / folder).glob("*"):
            found[old] = None
        for path in sorted((root / source).glob(pattern)):
            found[chart / "files" / folder / path.name] = path.read_text(encoding="utf-8")
    for name, make in (("README.md", readme), ("values.schema.json", schema)):
        found[chart / name] = make((chart / name).read_text(encoding="utf-8"), values)
    return found


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Writes or checks every file; the exit code."""
    stale = 0
    for path, text in wanted(root).items():
        present = path.read_text(encoding="utf-8") if path.exists() else None
        if present == text:
            continue
        stale += 1
        print(f"chart: {path.relative_to(root).as_posix()} was stale; run python scripts/chart.py")
        if "--check" in arguments:
            continue
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
