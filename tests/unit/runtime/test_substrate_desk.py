"""The desk of substrate on a real store: what is merged reaches admission, and decisions say by how much."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from covey import _core
from covey.errors import StoreError
from covey.proto.substrate import Offering
from covey.runtime.substrate import Standing, SubstrateDesk, Wish
from covey.runtime.substrate_mesh import SubstratePlugin
from covey.substrate.values import BundleError
from covey.system.clock import SystemClock
from covey.system.substrate_shelf import SubstrateShelf
from tests.unit.store.storekit import ANN, ME, NOW, ROOM, says
from tests.unit.substrate.kit import LEXIS, PARSER, bundle_of, episode, fingerprint, learned, usual

TRUSTED = Standing(frozenset({fingerprint(1)}), frozenset())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[_core.Store]:
    made = _core.Store.open(tmp_path / "store.db", node_id=ME.node_id)
    yield made
    made.close()


def desk_of(store: _core.Store, folder: Path, standing: Standing = TRUSTED) -> SubstrateDesk:
    return SubstrateDesk(
        SubstrateShelf(folder / "substrate"),
        store,
        (ME.node_id, ME.name, ME.public_key),
        sign=ME.sign_statement,
        encoder=LEXIS,
        clock=SystemClock(),
        standing=lambda: standing,
        names=list,
    )


def intake(encoder: _core.Encoder | None) -> _core.Intake:
    made = _core.Intake(ME.node_id, ROOM, [1.0] * 7, encoder=encoder)
    made.bind(ANN.node_id, ANN.public_key)
    return made


def heard(judge: _core.Intake, focus: str) -> _core.OutcomeBatch:
    batch = _core.RecordBatch([says(ANN, focus)])
    return judge.evaluate(batch, session_node_id=ANN.node_id, now_ms=NOW)


def test_what_is_merged_reaches_admission_and_the_kept_decision_says_by_how_much(
    store: _core.Store, tmp_path: Path
) -> None:
    desk, judge = desk_of(store, tmp_path), intake(_core.Encoder("words-1"))
    desk.attach(judge.prime)
    assert heard(judge, "our choir rehearses on mondays")[0].kind == "admitted", "an empty memory admits"
    judge = intake(_core.Encoder("words-1"))
    desk.attach(judge.prime)
    much = learned(*(episode(text, "validated") for text in PARSER * 10)).substrate
    said = desk.merge([bundle_of(much)], apply=True)
    assert (said["applied"], said["primed"]) == (True, True)
    foreign = heard(judge, "our choir rehearses on mondays")
    assert foreign[0].kind == "rejected" and foreign[0].evaluation is not None
    assert "what others learned" in foreign[0].evaluation.explanation
    store.commit([foreign], NOW)
    (kept,) = store.decisions(4)
    assert kept.basis is not None and foreign[0].basis is not None
    assert kept.basis.moved == foreign[0].basis.moved and (kept.basis.moved or 0) > 0.3
    assert heard(judge, "a burst of frames breaks the parser")[0].kind == "admitted"
    desk.undo("ada", None, apply=True)
    undone = heard(judge, "the harvest of apples is late")[0]
    assert undone.basis is not None and undone.basis.moved is None


def test_the_baseline_takes_no_prior_and_the_desk_says_so(store: _core.Store, tmp_path: Path) -> None:
    desk, judge = desk_of(store, tmp_path), intake(None)
    desk.attach(judge.prime)
    assert desk.merge([bundle_of(usual())], apply=True)["primed"] is False
    alone = heard(judge, "our choir rehearses on mondays")[0]
    assert alone.kind == "admitted" and alone.basis is not None and alone.basis.moved is None


def test_one_refused_bundle_refuses_all_and_a_lost_file_is_an_error(
    store: _core.Store, tmp_path: Path
) -> None:
    desk = desk_of(store, tmp_path)
    good = bundle_of(usual())
    with pytest.raises(BundleError):
        desk.merge([good, good[:-1]], apply=True)
    assert not (tmp_path / "substrate").exists()
    digest = desk.merge([good], apply=True)["bundles"][0]["digest"]
    file = tmp_path / "substrate" / f"{digest}.zip"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StoreError, match="damaged"):
        desk.show()
    file.unlink()
    desk.attach(lambda _: True)
    with pytest.raises(StoreError, match="cannot read"):
        desk.prime()


async def test_m45_a_lost_merged_bundle_is_logged_and_what_is_offered_is_offered_all_the_same(
    store: _core.Store, tmp_path: Path
) -> None:
    desk, logged, told = desk_of(store, tmp_path), list[tuple[str, str]](), list[object]()
    desk.attach(lambda _: True)
    digest = desk.merge([bundle_of(usual())], apply=True)["bundles"][0]["digest"]
    (tmp_path / "substrate" / f"{digest}.zip").unlink()
    plugin = SubstratePlugin(desk, lambda level, event, _: logged.append((level, event)), lambda: NOW)
    await plugin.start(told.append)
    assert logged == [("error", "substrate-unreadable")] and told == [Offering([])]
    await plugin.stop()


def test_m41_a_contributor_whose_bundle_is_lost_is_named_and_taken_back_all_the_same(
    store: _core.Store, tmp_path: Path
) -> None:
    desk, told = desk_of(store, tmp_path), list[object]()
    digest = desk.merge([bundle_of(usual())], apply=True)["bundles"][0]["digest"]
    (tmp_path / "substrate" / f"{digest}.zip").unlink()
    with pytest.raises(StoreError, match="of ada") as lost:
        desk.show()
    assert lost.value.hint is not None and "undo" in lost.value.hint
    desk.attach(lambda prior: told.append(prior) is None)
    dry = desk.undo("ada", None, apply=False)
    assert dry["before"] is None and dry["after"]["for"] == 0 and len(desk.acts()) == 1
    assert desk.undo("ada", None, apply=True)["applied"] and told == [None]
    assert desk.show()["merged"] == []
    assert desk.merge([bundle_of(usual())], apply=True, again=True)["applied"]


def test_an_export_learns_of_the_store_and_of_nobody_elses_reports(
    store: _core.Store, tmp_path: Path
) -> None:
    held = [says(ME, text) for text in PARSER]
    for record in held:
        store.put_own(record, NOW)
    desk = desk_of(store, tmp_path)
    raw, said = desk.export(Wish("ada"))
    assert raw == desk.export(Wish("ada"))[0]
    assert (said["blocks"], said["concepts"], said["signer"] is not None) == (3, 1, True)
    with pytest.raises(BundleError, match="nothing to share"):
        desk.export(Wish("ada", denied=("parser", "burst", "frames")))
    with pytest.raises(BundleError, match="covey's own"):
        desk.export(Wish("_ada"))


def test_trust_that_is_taken_back_counts_less_at_the_next_fold(store: _core.Store, tmp_path: Path) -> None:
    raw = bundle_of(usual())
    desk_of(store, tmp_path).merge([raw], apply=True)
    met, stranger = Standing(frozenset(), frozenset({fingerprint(1)})), Standing(frozenset(), frozenset())
    masses = [desk_of(store, tmp_path, each).folded().mass for each in (TRUSTED, met, stranger)]
    assert masses[0] > 3 * masses[1] > 3 * masses[2] > 0


def test_m45_whom_an_offer_means_is_a_key(store: _core.Store, tmp_path: Path) -> None:
    desk = desk_of(store, tmp_path)
    mark = hashlib.sha256(ANN.public_key).hexdigest()
    with pytest.raises(BundleError, match="never met") as unmet:
        desk.key_of(ANN.node_id)
    assert unmet.value.code == "unknown_key" and "fingerprint" in (unmet.value.hint or "")
    assert desk.key_of(mark.upper()) == mark == desk.key_of(f" {mark}")
    plain = base64.urlsafe_b64encode(ANN.public_key).decode().rstrip("=")
    assert desk.key_of(plain) == mark
    store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
    assert {desk.key_of(word) for word in (ANN.node_id, "ann")} == {mark}
    store.bind(ME.node_id, ME.public_key, "ann", NOW)
    with pytest.raises(BundleError, match="2 keys"):
        desk.key_of("ann")
    stranger = "0190a1b2-0000-7000-8000-00000000abcd"
    assert desk.offered_to([ANN.node_id, mark, stranger]) == {mark, stranger}


async def test_m45_offers_are_kept_by_key_and_offers_of_old_are_still_read(
    store: _core.Store, tmp_path: Path
) -> None:
    desk, told = desk_of(store, tmp_path), list[object]()
    plugin = SubstratePlugin(desk, lambda *line: None, lambda: NOW)
    await plugin.start(told.append)
    raw, mark = bundle_of(usual()), hashlib.sha256(ANN.public_key).hexdigest()
    wish = {"op": "offer", "bundle": base64.b64encode(raw).decode(), "to": [ANN.node_id]}
    with pytest.raises(BundleError, match="never met"):
        await plugin.handle(wish)
    store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
    said = await plugin.handle({**wish, "to": [ANN.node_id, "ann", mark]})
    (row,) = desk.shelf.offers()
    assert said["to"] == row["to"] == [mark]
    desk.shelf.save_offers([{**row, "to": [ANN.node_id]}])  # as an older covey wrote it
    again = SubstratePlugin(desk, lambda *line: None, lambda: NOW)
    await again.start(told.append)
    offering = told[-1]
    assert isinstance(offering, Offering)
    assert [to for _, to in offering.offers] == [frozenset({mark})]
    await plugin.stop()
    await again.stop()
