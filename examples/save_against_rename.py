"""A runtime saves its old copy of a session while a person renames it: the rename stands.

Run it with `make up` in another terminal:  .venv/bin/python examples/save_against_rename.py
"""

import asyncio

from sessioncache import AsyncSessionCache, Session, SessionGone

SESSION = "example-rename"


async def main() -> None:
    """Save, rename, save the old copy; then delete, and save the old copy again."""
    async with AsyncSessionCache.from_url() as cache:
        await cache.sessions.delete(SESSION)
        runtime = Session(id=SESSION, title="New chat", status="working")
        await cache.sessions.save(runtime, messages=[{"role": "user", "content": "My order is late."}])

        await cache.sessions.update(SESSION, title="Late order", pinned=True)  # a person, meanwhile

        runtime.status = "done"
        saved = await cache.sessions.save(runtime, messages=[{"role": "assistant", "content": "I am sorry."}])
        print(f"the {saved.outcome} group won; the runtime now knows the title {runtime.title!r}")

        await cache.sessions.delete(SESSION)
        try:
            await cache.sessions.save(runtime)
        except SessionGone as gone:
            print("a late save does not bring it back:", gone)


if __name__ == "__main__":
    asyncio.run(main())
