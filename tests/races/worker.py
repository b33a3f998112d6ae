"""A process of its own that works on a namespace: it reads tasks from its input and answers each with a line.

The rule of this file: a task says what is done and how often, and nothing of what has to come of it; that is in
`test_processes.py`. Nobody sleeps: a task begins when its line comes.

    python worker.py URL SHARDS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from sessioncache import Base, Session, SessionCache, SessionCacheError
from sessioncache.entities.models import EntityMention, Relationship
from sessioncache.leases.models import SessionLease

SESSION = "s"

Given = dict[str, Any]


def begin(_cache: SessionCache, _given: Given) -> None:
    """Nothing: the namespace is open."""


def append(cache: SessionCache, given: Given) -> list[int]:
    """Append messages one by one."""
    who = given["who"]
    return [cache.transcripts.append(SESSION, {"who": who, "n": n}).first_seq for n in range(given["times"])]


def edit(cache: SessionCache, given: Given) -> list[list[int]]:
    """Edit the title, each time to another one, and every other time the pin as well."""
    who, versions = given["who"], []
    for n in range(given["times"]):
        done = cache.sessions.update(SESSION, title=f"{who} {n}", authoritative={who: n})
        versions.append([done.title_version, done.metadata_version])
    return versions


def save(cache: SessionCache, given: Given) -> list[str]:
    """Save a runtime session again and again, with a group that is long out of date."""
    who = given["who"]
    outcomes: list[str] = []
    for n in range(given["times"]):
        stale = Session(id=SESSION, title="stale", metadata={"by": who})
        outcomes.append(cache.sessions.save(stale, messages=[{"who": who, "n": n}]).outcome)
    return outcomes


def save_whole(cache: SessionCache, given: Given) -> None:
    """Save everything with one number, for ever; told after each."""
    for n in range(given["times"]):
        cache.sessions.save(
            Session(id=SESSION, metadata={"n": n}),
            messages=[{"n": n}],
            documents={"state": {"n": n}},
            updates={f"u{n}": {"n": n}, "newest": {"n": n}},
        )
        tell(n)


def answer(cache: SessionCache, given: Given) -> list[bool]:
    """Edit one field of one entry, and one flag, again and again."""
    changed = []
    for n in range(given["times"]):
        done = cache.qa.update(
            SESSION,
            given["entry"],
            memify_metadata={given["who"]: n % 2 == 0},
            **{given["field"]: given["values"][n % 2]},
        )
        changed.append(done.changed)
    return changed


def ask(cache: SessionCache, given: Given) -> list[str]:
    """Add questions one by one."""
    return [cache.qa.append(SESSION, f"{given['who']} {n}", "a") for n in range(given["times"])]


def unask(cache: SessionCache, given: Given) -> list[bool]:
    """Remove questions one by one."""
    return [cache.qa.delete(SESSION, entry) for entry in given["entries"]]


def join(cache: SessionCache, given: Given) -> list[bool]:
    """Make sessions members of a workspace."""
    return [cache.workspaces.add(given["workspace"], name).added for name in given["sessions"]]


def enter(cache: SessionCache, given: Given) -> list[bool]:
    """Make one session a member of workspaces."""
    return [cache.workspaces.add(name, SESSION).added for name in given["workspaces"]]


def mention(cache: SessionCache, given: Given) -> None:
    """Mention the same entities again and again, with a relationship."""
    for _ in range(given["times"]):
        cache.entities.save(
            SESSION,
            entities=[EntityMention(name="shared"), EntityMention(name=given["who"])],
            relationships=[Relationship(from_entity=given["who"], to_entity="shared")],
        )


def use(cache: SessionCache, given: Given) -> None:
    """Log token usage, two lines at a time."""
    who = given["who"]
    for n in range(given["times"]):
        lines = [
            {"model": model, "who": who, "n": n, "input_tokens": 3, "output_tokens": 1} for model in ("shared", who)
        ]
        cache.usage.append(SESSION, lines)


def acquire(cache: SessionCache, given: Given) -> Given:
    """Take the session's lease."""
    lease = cache.leases.acquire(SESSION, ttl_ms=given["ttl_ms"], wait_ms=given.get("wait_ms", 0))
    return {"holder": lease.holder, "token": lease.token, "until_ms": lease.until_ms}


def renew(cache: SessionCache, given: Given) -> int:
    """Hold on to the session's lease."""
    lease = SessionLease(SESSION, given["holder"], given["token"], given["until_ms"])
    return cache.leases.renew(lease, ttl_ms=given["ttl_ms"]).until_ms


def write(cache: SessionCache, given: Given) -> int:
    """Append a message under a token."""
    return cache.transcripts.append(SESSION, {"token": given["token"]}, base=Base(fence=given["token"])).first_seq


TASKS: dict[str, Callable[[SessionCache, Given], Any]] = {
    task.__name__: task
    for task in (
        begin,
        append,
        edit,
        save,
        save_whole,
        answer,
        ask,
        unask,
        join,
        enter,
        mention,
        use,
        acquire,
        renew,
        write,
    )
}


def tell(result: object) -> None:
    """Answer a line."""
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def main(url: str, shards: str) -> None:
    """Do one task after another, each in the namespace that it names, until there are no more."""
    tell("ready")
    cache: SessionCache | None = None
    for line in sys.stdin:
        namespace, name, given = json.loads(line)
        if cache is None or cache.settings.namespace != namespace:
            cache = SessionCache.from_url(url, namespace=namespace, shards=int(shards)).open()
        try:
            result = TASKS[name](cache, given)
        except SessionCacheError as error:
            result = {"error": type(error).__name__}
        tell(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
