"""A report of an outcome may repeat what is held; one author's comes through only so often."""

from __future__ import annotations

from covey import limits
from covey.model import Minted, Proposal
from covey.proto import effects as fx
from covey.proto import news as nw
from tests.unit.proto.virtual import Host, Mesh


def report(host: Host, target: str, outcome: str) -> Minted:
    """Let a host say it, past its own gate."""
    token = host.mesh.token()
    said = {"focus": "the parser keeps the last frame", "intent": "ground", "commitment": outcome}
    host.feed(fx.Emit(token, Proposal(said, (target,))))
    host.mesh.settle()
    minted = host.replies[token]
    assert isinstance(minted, Minted)
    return minted


def test_what_one_author_reports_too_often_is_refused_with_its_reason_and_a_failure_is_not() -> None:
    mesh = Mesh()
    one, two = mesh.pair()
    claim = one.emit("the parser keeps the last frame")
    assert isinstance(claim, Minted)
    target = claim.block.key
    for number in range(limits.GROUNDINGS_PER_TARGET + 2):
        report(one, target, f"verified: run {number} of the parser on all {number} frames")
    assert two.counts["records.refused.grounding_pace"] == 2
    failed = report(one, target, "failed: the parser drops the last frame again")
    (judged,) = [each for each in two.told(nw.Judged) if each.key == failed.block.key]
    assert judged.outcome != "refused"
    assert [send.reason for send in one.ends_of("the parser keeps the last frame") if send.reason]
