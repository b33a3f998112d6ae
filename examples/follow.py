"""A reader follows a session through the feed, stops, and goes on later where it was.

Run it with `make up` in another terminal:  .venv/bin/python examples/follow.py
"""

import asyncio

from sessioncache import AsyncSessionCache, Change, FeedGap

SESSION = "example-follow"


async def show(cache: AsyncSessionCache, change: Change) -> None:
    """Print a change; its details say where the new messages are."""
    print(change.number, change.kind, change.details)
    if change.kind == "transcript.appended":
        first, last = int(change.details["first_seq"]), int(change.details["last_seq"])
        for message in (await cache.transcripts.list(SESSION, start=first, stop=last)).messages:
            print("   ", message["content"])


async def main() -> None:
    """Follow live, then resume from a cursor, and take note where changes were lost."""
    async with AsyncSessionCache.from_url() as cache:
        chat = cache.session(SESSION)
        async with chat.subscribe() as changes:
            await chat.transcript.append({"role": "user", "content": "Where is my order?"})
            await chat.update(title="Order 7")
            for change in await changes.read():
                await show(cache, change)
            cursor = changes.cursor  # a text: keep it in a file, or hand it to another process

        await chat.transcript.append({"role": "assistant", "content": "On its way."})

        async with chat.subscribe(cursor=cursor) as changes:
            try:
                for change in await changes.read():
                    await show(cache, change)
            except FeedGap as gap:
                print("changes were lost; reload the session, then go on:", gap)


if __name__ == "__main__":
    asyncio.run(main())
