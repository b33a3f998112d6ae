"""Writes the reference tables in docs/ from the code that they describe.

Its one rule: a table between two markers is made from the source and never edited; all other text of a page is written
by hand and never touched.

    python scripts/reference.py            write every table
    python scripts/reference.py --check    change nothing; list the pages that are stale, and exit with 1
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scripts import sizing
from sessioncache import errors
from sessioncache.audit import KINDS
from sessioncache.metrics.names import METRICS
from sessioncache.wire.keys import CATALOGUE
from sessioncache.wire.script import parse_header

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(
    r"(<!-- generated from \S+ by scripts/reference\.py: (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL
)
EXPIRY = {
    "session": "with its session, and never before its deadline",
    "never": "never",
    "bounded": "always, after at most {minutes} min",
}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A markdown table."""
    lines = [list(heads), *(list(row) for row in rows)]
    text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(lines[0]), *text[1:]]) + "\n"


def keys() -> str:
    """Every key, from the catalogue."""
    return table(
        ("Name", "Key", "Type", "Expires", "Holds"),
        (
            (
                kind.name,
                f"`{kind.pattern}`",
                kind.type,
                EXPIRY[kind.expiry].format(minutes=kind.expires_within_ms // 60_000),
                kind.about,
            )
            for kind in CATALOGUE
        ),
    )


def error_classes() -> str:
    """Every error class, from errors.py."""
    found = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    return table(
        ("Class", "Base", "Code", "Retryable", "Means"),
        (
            (
                f"`{kind.__name__}`",
                " ".join(f"`{base.__name__}`" for base in kind.__bases__),
                f"`{kind.code}`",
                "yes" if kind.retryable else "no",
                first_sentences(kind.__doc__ or ""),
            )
            for kind in sorted(found, key=_place)
        ),
    )


def _place(kind: type) -> list[str]:
    """Where a class stands in the tree: behind its base."""
    return [base.__name__ for base in reversed(kind.__mro__) if issubclass(base, errors.SessionCacheError)]


def changes() -> str:
    """Every kind of change, from the EMITS lines of the scripts."""
    emitters: dict[str, list[str]] = {}
    for path in sorted((ROOT / "sessioncache").glob("*/*.lua")):
        name = f"{path.parent.name}.{path.stem}"
        for kind in parse_header(name, path.read_text(encoding="utf-8")).emits:
            emitters.setdefault(kind, []).append(f"`{name}`")
    return table(("Change", "Published by"), ((f"`{kind}`", ", ".join(emitters[kind])) for kind in sorted(emitters)))


def metrics() -> str:
    """Every metric, from names.py."""
    return table(
        ("Metric", "Type", "Labels", "Tells"),
        (
            (f"`{metric.name}`", metric.kind, ", ".join(metric.labels) or "none", first_sentences(metric.help))
            for metric in METRICS
        ),
    )


def findings() -> str:
    """What an audit finds, from its kinds."""
    return table(
        ("Finding", "Means", "What to do"), ((f"`{kind.name}`", kind.meaning, kind.remedy) for kind in KINDS.values())
    )


def settings() -> str:
    """The settings of a cache."""
    return fields("sessioncache/settings.py", "Settings", variable="SESSIONCACHE_")


def worker_settings() -> str:
    """The settings of a worker process."""
    return fields("workers/sessioncache_workers/settings.py", "WorkerSettings", variable="SESSIONCACHE_WORKER_")


def policy() -> str:
    """The fields of a retention policy."""
    return fields("sessioncache/retention/models.py", "RetentionPolicy")


def methods(module_name: str, class_name: str) -> str:
    """The public methods of a store, with their signatures without `async`."""
    module = ast.parse((ROOT / f"sessioncache/stores/{module_name}.py").read_text(encoding="utf-8"))
    constants = dict(_constants(module))
    body = next(node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    return table(
        ("Method", "Does"),
        (
            (f"`{_signature(node, constants)}`", first_sentences(ast.get_docstring(node) or "", ends="."))
            for node in body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
        ),
    )


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, constants: dict[str, ast.expr]) -> str:
    """Name, parameters and answer, with the module's aliases and constants spelt out."""

    def said(given: ast.expr) -> str:
        return ast.unparse(_inlined(given, constants))

    def parameter(argument: ast.arg, default: ast.expr | None) -> str:
        kind = "" if argument.annotation is None else f": {said(argument.annotation)}"
        return f"{argument.arg}{kind}" + ("" if default is None else f" = {said(default)}")

    spec = node.args
    defaults = [None] * (len(spec.args) - len(spec.defaults)) + list(spec.defaults)
    shown = [parameter(*pair) for pair in list(zip(spec.args, defaults, strict=True))[1:]]
    keyword = [parameter(*pair) for pair in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    shown += ["*", *keyword] if keyword else []
    answer = "" if node.returns is None else f" -> {said(node.returns)}"
    return f"{node.name}({', '.join(shown)}){answer}"


def fields(path: str, class_name: str, *, variable: str = "") -> str:
    """The fields of a pydantic class with their defaults and docstrings, read from its source."""
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    constants = dict(_constants(module))
    body = next(node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    rows = []
    for node, doc in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            continue
        default, alias = _default(node.value, constants)
        said = doc.value.value if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) else ""
        name = alias or f"{variable}{node.target.id.upper() if variable else node.target.id}"
        rows.append((f"`{name}`", f"`{default}`" if default else "empty", first_sentences(str(said), most=3)))
    return table(("Variable" if variable else "Field", "Default", "Means"), rows)


def _constants(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in module.body:
        match node:
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Name(name)], value=value):
                yield name, value


def _default(value: ast.expr, constants: dict[str, ast.expr]) -> tuple[str, str | None]:
    """The default as it may be written in a variable, and the variable's name where it is not the field's."""
    alias = None
    if isinstance(value, ast.Call):
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        named = (
            node for node in ast.walk(given.get("validation_alias", ast.Tuple([]))) if isinstance(node, ast.Constant)
        )
        alias = next((str(node.value) for node in named), None)
        value = given["default"]
    if isinstance(value, ast.Name) and value.id in constants:
        value = constants[value.id]
    text = str(eval(compile(ast.Expression(_inlined(value, constants)), "default", "eval"), {}))  # noqa: S307 - our own
    plain = text.removeprefix("('").removesuffix("',)")
    return {"None": ""}.get(plain, plain), alias


def _inlined(value: ast.expr, constants: dict[str, ast.expr]) -> ast.expr:
    class Inline(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return constants.get(node.id, node)

    inlined: ast.expr = ast.fix_missing_locations(Inline().visit(value))
    return inlined


def first_sentences(text: str, *, most: int = 1, ends: str = ".;") -> str:
    """The first sentences of a text on one line, and by what they end."""
    line = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return " ".join(re.split(rf"(?<=[{ends}]) (?=[A-Z`])", line)[:most]).rstrip(".")


def sizing_cores() -> str:
    """What a second of work takes of the server."""
    rows = sizing.published(sizing.RESULTS.read_text(encoding="utf-8"))
    heads = ("Work", "Server CPU each", "1,000 agents, one a second each", "One core, 60 % busy")
    return table(heads, sizing.cores(rows))


def sizing_memory() -> str:
    """What sessions take."""
    rows = sizing.published(sizing.RESULTS.read_text(encoding="utf-8"))
    return table(("Session", "As written", "Idle and sealed", "A million; sealed"), sizing.memory(rows))


TABLES: dict[str, Callable[[], str]] = {
    "keys": keys,
    "errors": error_classes,
    "changes": changes,
    "metrics": metrics,
    "settings": settings,
    "worker_settings": worker_settings,
    "policy": policy,
    "sizing_cores": sizing_cores,
    "sizing_memory": sizing_memory,
    "findings": findings,
    "context_storage": lambda: methods("context_async", "AsyncContextStorage"),
    "freshness_storage": lambda: methods("freshness_async", "AsyncFreshnessStorage"),
    "transcript_store": lambda: methods("transcript_async", "AsyncTranscriptStore"),
    "qa_store": lambda: methods("qa_async", "AsyncQAStore"),
    "asset_store": lambda: methods("asset_async", "AsyncAssetStore"),
    "runtime_persistence": lambda: methods("runtime_async", "AsyncRuntimePersistence"),
}


def current(text: str) -> str:
    """The page with every generated table as it would be written now."""
    return MARKED.sub(lambda found: found.group(1) + "\n" + TABLES[found.group(2)]() + "\n" + found.group(3), text)


def main(arguments: list[str]) -> int:
    """Writes or checks every page; the exit code."""
    stale = []
    for path in sorted((ROOT / "docs").glob("**/*.md")):
        text = path.read_text(encoding="utf-8")
        wanted = current(text)
        if wanted != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if "--check" not in arguments:
                path.write_text(wanted, encoding="utf-8")
    for name in stale:
        print(f"reference: {name} was stale; run python scripts/reference.py")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
