"""A summariser replaces old messages by a summary while others go on appending: nothing they write is lost.

Run it with `make up` in another terminal:  .venv/bin/python examples/summarise.py
"""

import asyncio

from sessioncache import AsyncSessionCache
from sessioncache.types import JSONObject

SESSION = "example-summarise"


def summary_of(messages: list[JSONObject]) -> JSONObject:
    """What a model would write."""
    return {"role": "system", "content": f"Summary of {len(messages)} messages."}


async def main() -> None:
    """Read, summarise, and swap, up to the last message that the summary covers."""
    async with AsyncSessionCache.from_url() as cache:
        chat = cache.session(SESSION)
        await chat.delete()
        await chat.transcript.append([{"role": "user", "content": f"question {number}"} for number in range(40)])

        page = await chat.transcript.list(start=0, limit=30)  # the oldest thirty
        summary = summary_of(page.messages)  # takes a while …
        await chat.transcript.append({"role": "user", "content": "meanwhile"})  # … in which somebody writes

        replaced = await chat.transcript.save([summary], through=page.items[-1].seq)
        print(f"{replaced.replaced} messages became one; {replaced.count} are there now")
        print((await chat.transcript.list(start=0, limit=1)).messages[0]["content"])
        print((await chat.transcript.list(last=1)).messages[0]["content"])


if __name__ == "__main__":
    asyncio.run(main())
