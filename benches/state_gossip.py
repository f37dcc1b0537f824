"""How fast a room converges, and what a round costs: `python -m benches.state_gossip [peers] [loss]`.

Every peer is linked to eight others at random; a fifth of all frames is lost.
One peer writes; then all write at once. A round is two seconds of simulated time.
"""

from __future__ import annotations

import math
import sys

from benches.state_world import World
from covey import limits

ROUND = limits.STATE_GOSSIP_SECONDS


def converge(world: World, most_rounds: int = 40) -> tuple[float, int, int]:
    """Run until all are equal; return rounds, frames, and the most bytes that one peer sent in one round."""
    frames, most, start = world.frames, 0, world.now
    for _ in range(most_rounds):
        before = [member.sent_bytes for member in world.members]
        done = world.run(ROUND, world.equal)
        sent = (member.sent_bytes - b for member, b in zip(world.members, before, strict=True))
        most = max(most, *sent)
        if done:
            return (world.now - start) / ROUND, world.frames - frames, most
    raise AssertionError(f"not equal after {most_rounds} rounds")


def measure(size: int, loss: float, seed: int = 1) -> list[tuple[str, float, int, int]]:
    """Return what happened, with rounds, frames and bytes: one write, a write of everybody, a heal."""
    world = World(size, seed, loss=loss)
    world.mesh(min(8, size - 1))
    found = []
    world.write(0, ("put", "first", b"x" * 100))
    found.append(("one writes", *converge(world)))
    for number in range(size):
        world.write(number, ("put", f"of-{number}", b"y" * 100))
    found.append(("all write at once", *converge(world)))
    return found


def main() -> int:
    """Print the figures for some sizes."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    loss = float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
    print(
        f"{'peers':>6}  {'what':<20}{'rounds':>7}  {'log2 n':>6}  {'frames':>8}  most bytes of one in a round"
    )
    for peers in sorted({8, 25, size}):
        for what, rounds, frames, most in measure(peers, loss):
            print(
                f"{peers:>6}  {what:<20}{rounds:>7.1f}  {math.log2(peers):>6.1f}  {frames:>8,}  {most:>12,}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
