"""A script without an event loop: what happened lately, and old sessions made to expire.

Run it with `make up` in another terminal:  .venv/bin/python examples/sync_script.py
"""

from datetime import UTC, datetime, timedelta

from sessioncache import SessionCache

OLD = timedelta(days=30)


def main() -> None:
    """Add a session, list the newest ones, and give old ones an hour."""
    with SessionCache.from_url() as cache:
        cache.session("example-sync").transcript.append({"role": "user", "content": "hi"}, user="report")
        stats = cache.stats.get()
        print(f"{stats.sessions} sessions, {stats.messages} messages, {stats.bytes} bytes")
        for summary in cache.sessions.list(order="newest", limit=10):
            print(f"{summary.updated_at:%Y-%m-%d %H:%M}  {summary.id}  {summary.messages} messages")
        before = datetime.now(UTC) - OLD
        for summary in cache.sessions.each(order="oldest"):
            if summary.updated_at > before:
                break
            cache.retention.update(summary.id, ttl_ms=3_600_000)


if __name__ == "__main__":
    main()
