"""Two peers in one program: one asks the room, the other hears it, answers, and both remember.

Run it: .venv/bin/python examples/two_peers.py
"""

import asyncio
import secrets
import tempfile

import covey


async def main() -> None:
    """Let two peers meet in a room of their own."""
    room = f"example-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as home:
        async with (
            covey.Peer("ann", room=room, home=home) as ann,
            covey.Peer("bob", room=room, home=home) as bob,
        ):

            @bob.on_block
            async def answer(block: covey.Block) -> None:
                print(f"bob heard:  {block.categories['intent']}")
                await bob.reply(block, focus="the parser drops the last frame of a burst")

            await ann.wait_for_peers(1)
            for found in await ann.ask("what is wrong with the parser?", answers=1):
                print(f"ann heard:  {found.categories['focus']} (by {found.author})")
            remembered = await ann.recall("parser")
            print(f"ann holds:  {len(remembered)} blocks about it")


asyncio.run(main())
