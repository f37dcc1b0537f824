"""Agents that decide together, for tests: on one local bus, or each on a node of its own; the same calls."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

from covey.runtime.bus.local import LocalBus
from covey.runtime.decide.book import MemoryBook
from covey.runtime.decide.post import Post, Ring, World
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.unit.runtime.meshkit import identity
from tests.unit.runtime.test_mesh_bus import mesh, until


@dataclass
class Agent:
    """One agent: who it is, its post, its book, its bus."""

    who: object
    bus: object
    post: Post
    book: MemoryBook

    @property
    def node_id(self):
        return self.who.node_id


def agent(number, bus, ring, book=None, lines=None):
    take = None if lines is None else lambda level, event, facts: lines.append((event, dict(facts)))
    world = World(SystemClock(), SystemEntropy(), take)
    who = identity(number)
    return Agent(who, bus, Post(bus, who, ring, world), book or MemoryBook())


@asynccontextmanager
async def local(count):
    """Agents of one process."""
    ring = Ring(*(identity(number + 1) for number in range(count)))
    bus = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
    agents = [agent(number + 1, bus, ring) for number in range(count)]
    yield agents
    for each in agents:
        each.post.close()


@asynccontextmanager
async def over_mesh(count):
    """Agents of as many peers, all connected."""
    ring = Ring(*(identity(number + 1) for number in range(count)))
    async with mesh(count) as (_, buses):
        agents = [agent(number + 1, bus, ring) for number, bus in enumerate(buses)]
        await until(lambda: all(len(each.post.here()) == count for each in agents))
        yield agents
        for each in agents:
            each.post.close()


DISTANCES = [local, over_mesh]
