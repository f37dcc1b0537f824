"""What is promised of a wheel is looked for in it; each promise has a wheel that breaks it."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.tags import platform_tags as platforms

from tests.tidy import tree
from tools import check_wheels, plain_lists

GOOD = {
    "covey/py.typed": "",
    "covey/_core.pyi": "",
    "covey-0.dist-info/licenses/LICENSE": "x",
    "covey-0.dist-info/sboms/covey.json": json.dumps(
        {"components": [{"name": "sha2", "purl": "pkg:cargo/sha2@0.11.0"}]}
    ),
    "covey-0.dist-info/sboms/sqlite.cdx.json": json.dumps({"components": [{"name": "sqlite"}]}),
}
NAME = "covey-0-cp311-abi3-manylinux_2_17_x86_64.whl"


def made(folder, files, name=NAME, padding=0):
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in files.items():
            archive.writestr(each, text)
        archive.writestr("covey/_core.abi3.so", bytes(padding))
    return path


def test_a_good_wheel_has_no_problem(tmp_path):
    assert check_wheels.problems(made(tmp_path, GOOD)) == []


@pytest.mark.parametrize("missing", GOOD)
def test_what_it_must_carry_is_missed(tmp_path, missing):
    wheel = made(tmp_path, {name: text for name, text in GOOD.items() if name != missing})
    assert len(check_wheels.problems(wheel)) == 1


def test_a_heavy_wheel_an_empty_list_and_a_name_without_an_age_are_problems(tmp_path):
    assert "6,000,000" in check_wheels.problems(made(tmp_path, GOOD, padding=6_000_000))[0]
    empty = {**GOOD, "covey-0.dist-info/sboms/covey.json": "{}"}
    assert "linked" in check_wheels.problems(made(tmp_path, empty))[0]
    plain = made(tmp_path, GOOD, name="covey-0-cp311-abi3-linux_x86_64.whl")
    assert "platform" in check_wheels.problems(plain)[0]
    assert check_wheels.carried(plain) == [], "that is no fault of a wheel for this machine"


def test_the_folder_of_the_build_is_taken_out_of_a_list_and_the_record_agrees(tmp_path):
    name = "covey-0.dist-info/sboms/covey.json"
    listed = json.loads(GOOD[name])["components"]
    refs = {"bom-ref": "path+file:///builds/rust/my%20covey/rust/core#covey-core@0.1.0"}
    said = json.dumps({"components": [*listed, refs | {"name": "covey-core"}]})
    record = f'{name},sha256=old,1\n"covey/a,b.py",sha256=kept,2\ncovey-0.dist-info/RECORD,,\n'
    wheel = made(tmp_path, {**GOOD, name: said, "covey-0.dist-info/RECORD": record})
    assert check_wheels.problems(wheel) == ["says in which folder it was built"]
    before = zipfile.ZipFile(wheel).namelist()
    assert plain_lists.made_plain(wheel)
    assert check_wheels.problems(wheel) == []
    assert [each.name for each in tmp_path.iterdir()] == [wheel.name], "nothing beside it"
    with zipfile.ZipFile(wheel) as archive:
        now = archive.read(name)
        assert archive.testzip() is None and archive.namelist() == before
        assert json.loads(now)["components"][1]["bom-ref"] == "path+file:///rust/core#covey-core@0.1.0"
        first, *others = archive.read("covey-0.dist-info/RECORD").decode().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(now).digest()).decode().rstrip("=")
    assert first == f"{name},sha256={digest},{len(now)}"
    assert others == record.splitlines()[1:]
    assert not plain_lists.made_plain(wheel), "once is enough"


def test_wheels_are_made_plain_wherever_they_are_built():
    assert "tools.plain_lists dist" in tree.text("Makefile")
    made_plain, checked = (
        tree.text("tools/wheels").index(f"-m tools.{step}") for step in ("plain_lists", "check_wheels")
    )
    assert made_plain < checked


def test_a_wheel_is_tried_by_the_interpreters_that_take_it(monkeypatch):
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    made_for = Path(f"covey-0-cp311-abi3-{next(platforms())}.whl")
    assert check_wheels.runs_here(made_for, sys.executable)
    assert not check_wheels.runs_here(Path(f"covey-0-{here}-{here}t-{next(platforms())}.whl"), sys.executable)
    monkeypatch.setattr(check_wheels.shutil, "which", lambda name: f"/opt/{name}")
    assert check_wheels.interpreters() == [sys.executable, "/opt/python3.14t"]
    monkeypatch.setattr(check_wheels.shutil, "which", lambda name: None)
    assert check_wheels.interpreters() == [sys.executable]


def test_a_folder_without_wheels_fails(tmp_path, capsys):
    assert check_wheels.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == "no wheel was built\n"


def test_a_wheel_that_no_interpreter_here_takes_is_said_not_to_be_tried(tmp_path, capsys):
    elsewhere = "covey-0-cp311-abi3-manylinux_2_17_mips64.whl"
    made(tmp_path, GOOD, name=elsewhere)
    assert check_wheels.main([str(tmp_path)]) == 0
    assert "not tried: no interpreter here takes it" in capsys.readouterr().out


def test_a_target_that_is_none_is_named_and_no_wheel_is_lost(tmp_path):
    root = Path(check_wheels.__file__).parents[1]
    (tmp_path / "tools").mkdir()
    shutil.copy(root / "tools" / "wheels", tmp_path / "tools")
    kept = made(tmp_path, GOOD)
    (tmp_path / "dist").mkdir()
    kept = kept.rename(tmp_path / "dist" / kept.name)
    ended = subprocess.run([tmp_path / "tools" / "wheels", "armv7"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "armv7: no such target; there are: x86_64-unknown-linux-gnu" in ended.stderr
    assert kept.exists()
