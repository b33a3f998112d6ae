"""Two agents share one session: both append, and the one who decides checks that nobody was quicker.

Run it with `make up` in another terminal:  .venv/bin/python examples/two_agents.py
"""

import asyncio

from sessioncache import AsyncSessionCache, Base, VersionConflict

SESSION = "example-two-agents"


async def collect(cache: AsyncSessionCache, name: str, facts: list[str]) -> None:
    """An agent that adds what it finds. Appends of several agents never overwrite each other."""
    for fact in facts:
        await cache.transcripts.append(SESSION, {"role": "assistant", "name": name, "content": fact})


async def answer(cache: AsyncSessionCache, name: str) -> str:
    """An agent that answers once, on the basis of everything that was there when it answered."""
    while True:
        page = await cache.transcripts.list(SESSION, last=100)
        if any(message.get("final") for message in page.messages):
            return f"{name}: somebody else has answered"
        text = f"{len(page.messages)} facts considered"
        try:
            base = Base(gen=page.gen, revision=page.revision)
            await cache.transcripts.append(
                SESSION, {"role": "assistant", "name": name, "content": text, "final": True}, base=base
            )
        except VersionConflict:
            continue  # somebody wrote since: read again, decide again
        return f"{name}: answered with {text}"


async def main() -> None:
    """Both agents work at once, over two connections as two processes would have them."""
    async with AsyncSessionCache.from_url() as one, AsyncSessionCache.from_url() as two:
        await one.sessions.delete(SESSION)
        await asyncio.gather(
            collect(one, "ann", ["the order is 7", "it was paid"]),
            collect(two, "ben", ["it left on Monday", "it is late"]),
        )
        for line in await asyncio.gather(answer(one, "ann"), answer(two, "ben")):
            print(line)
        async for entry in one.transcripts.each(SESSION):
            print(entry.seq, entry.message["name"], entry.message["content"])


if __name__ == "__main__":
    asyncio.run(main())
