"""The research team of MMP 2.0 §14.5.1: six scripted agents, seven blocks, and their DAG."""

import asyncio
import secrets
from contextlib import AsyncExitStack

import covey
from covey.memory.lineage import ancestors, root_of
from covey.model import CAT7

SECONDS = 30
SUBJECT = "emergent capabilities in LLMs"

WEIGHS = {
    "explorer-a": ("intent", "motivation"),
    "explorer-b": ("focus", "issue"),
    "data-agent": ("issue", "commitment"),
    "validator": ("issue", "commitment", "perspective"),
    "research-pm": ("intent", "motivation", "commitment"),
    "synthesis": ("intent", "motivation", "perspective"),
}
"""What each role weighs highest."""

SAYS = {
    "claims": {
        "focus": f"{SUBJECT}: scaling law papers contradict each other, Wei against Schaeffer",
        "intent": "scaling law research needs reframing",
    },
    "metrics": {
        "focus": f"{SUBJECT}: accuracy-based metrics create artificial thresholds",
        "issue": "fix the lens before interpreting what it shows",
    },
    "breakpoint": {
        "focus": f"{SUBJECT}: tested, the breakpoint is metric-conditional",
        "commitment": "8B on log-loss, 10B on accuracy",
    },
    "challenge": {
        "focus": f"{SUBJECT}: the Chow test of the breakpoint assumes a linear regime",
        "commitment": "reject until reproduced with power-law detrending",
    },
    "priorities": {
        "focus": f"{SUBJECT}: rerun the breakpoint with detrending, survey detrending methods",
        "motivation": "the challenge stands until then; new papers can wait",
    },
    "idea": {
        "focus": f"{SUBJECT}: emergence is evaluation-dependent",
        "motivation": "a property of the measurement apparatus, not of the model",
    },
    "demand": {
        "focus": f"{SUBJECT}: interesting but operationally vacuous",
        "commitment": "produce a falsifiable prediction or downgrade to speculation",
    },
}

DAG = {
    "claims": ("explorer-a", ()),
    "metrics": ("explorer-b", ()),
    "breakpoint": ("data-agent", ("claims", "metrics")),
    "challenge": ("validator", ("breakpoint",)),
    "priorities": ("research-pm", ("challenge",)),
    "idea": ("synthesis", ("priorities", "breakpoint")),
    "demand": ("validator", ("idea",)),
}
"""Each block: who says it, and what it answers (§14.5.1)."""


class Team:
    """Six peers, each with a script of its own: it speaks once it has heard all that its block answers."""

    def __init__(self):
        self.said = {}
        self.heard = {name: {} for name in WEIGHS}
        self.done = asyncio.Event()
        """Everybody has heard everything."""
        self._began = set()

    def attach(self, name, peer):
        """Let a peer listen; what it is told is all it knows."""

        @peer.on_block
        async def hear(block):
            title = next((t for t, said in SAYS.items() if block.categories["focus"] == said["focus"]), None)
            self.heard[name][title] = block
            self._look()
            for wanted, (author, parents) in DAG.items():
                ready = parents and all(each in self.heard[name] for each in parents)
                if author == name and ready and wanted not in self._began:
                    await self.speak(peer, name, wanted)

    async def speak(self, peer, name, title):
        """Say one block under what it answers."""
        self._began.add(title)
        parents = [self.heard[name][each] for each in DAG[title][1]]
        emission = await peer.observe(SAYS[title], parents=parents)
        assert isinstance(emission.result, covey.Minted), emission.result
        assert emission.result.severed is None, (title, emission.result.severed)
        self.said[title] = self.heard[name][title] = emission.result.block
        self._look()

    def _look(self):
        if all(len(found) == len(DAG) for found in self.heard.values()):
            self.done.set()


async def everybody(stack, tmp_path, team):
    room = f"team-{secrets.token_hex(4)}"
    peers = {}
    for name, high in WEIGHS.items():
        weights = {each: 2.0 if each in high else 1.0 for each in CAT7}
        peer = covey.Peer(name, room=room, home=tmp_path / "home", settings={"role_weights": weights})
        team.attach(name, peer)
        peers[name] = await stack.enter_async_context(peer)
    for peer in peers.values():
        assert await peer.wait_for_peers(len(peers) - 1, SECONDS)
    return peers


def test_six_scripted_agents_reproduce_the_research_team_and_its_dag(tmp_path):
    async def main():
        team = Team()
        async with AsyncExitStack() as stack:
            peers = await everybody(stack, tmp_path, team)
            await asyncio.gather(
                *(team.speak(peers[DAG[title][0]], DAG[title][0], title) for title in ("claims", "metrics"))
            )
            await asyncio.wait_for(team.done.wait(), SECONDS)
            keys = {title: block.key for title, block in team.said.items()}
            titles = {key: title for title, key in keys.items()}

            assert len(keys) == 7 and len({block.node_id for block in team.said.values()}) == 6
            for title, (author, parents) in DAG.items():
                block = team.said[title]
                assert (block.author, {titles[key] for key in block.parents}) == (author, set(parents))

            for name, peer in peers.items():
                held = {key: await peer.block(key) for key in titles}
                assert all(held.values()), name
                walk = ancestors(held.get, [held[keys["demand"]]], depth=10)
                assert walk.complete, name
                assert {titles[each.block.key] for each in walk.ancestors} == set(DAG) - {"demand"}
                roots = {titles[each.block.key] for each in walk.ancestors if not each.block.parents}
                assert roots == {"claims", "metrics"}, "every claim is traced to its evidence"
                assert titles[root_of(held.get, held[keys["demand"]])] in roots

            # what emerged is asked for, and the answer cites it with the evidence beneath
            asked = await peers["research-pm"].ask_mesh(
                "is emergence a property of the model or of the measurement?", within_seconds=SECONDS
            )
            cited = {titles.get(key) for each in asked.as_dict()["answer"] for key in each["cites"]}
            assert "idea" in cited
            assert not [each for each in asked.as_dict()["silent"] if each["reason"] in ("no-word", "left")]

            # and what the synthesis agent's model would read of the last challenge is a fraction of it all
            last = await peers["synthesis"].block(keys["demand"])
            curated = await peers["synthesis"].curate(
                last, task="find a falsifiable prediction", token_budget=120
            )
            assert curated.blocks[0].block.key == keys["demand"]
            assert curated.tokens <= 120 < curated.everything

    asyncio.run(main())
