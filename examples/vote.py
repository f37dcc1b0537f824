"""Three peers decide something: two say yes, one is asked and never answers, and anybody can count again.

Run it: .venv/bin/python examples/vote.py
"""

import asyncio
import secrets
import tempfile

import covey


async def main() -> None:
    """Let ann put a question, bob answer it, and cid be silent until the deadline."""
    room = f"example-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as home:
        async with (
            covey.Peer("ann", room=room, home=home) as ann,
            covey.Peer("bob", room=room, home=home) as bob,
            covey.Peer("cid", room=room, home=home),
        ):

            @ann.votes.answer
            @bob.votes.answer
            async def choose(question: object) -> str:
                return "yes"

            await ann.wait_for_peers(2)
            voters = ["ann", "bob", "cid"]
            record = await ann.votes.call("ship it?", ["yes", "no"], voters=voters, seconds=2)
            outcome = record.outcome
            print(f"decided:  {outcome.winner}, by {len(outcome.ballots)} of {len(voters)}")
            print(f"silent:   {len(outcome.missing)}, and nobody waited for it")
            finding = await bob.votes.check(record)
            print(f"counted again by bob: {'it holds' if finding.holds else finding.problems}")


asyncio.run(main())
