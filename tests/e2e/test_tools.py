"""A newcomer without Python, Rust or a C compiler is told so in plain words, with the next step."""

import shutil
import stat
import subprocess
import sys

import pytest

from tests.tidy import tree

OLD = '#!/bin/sh\ncase "$2" in *version_info*) exit 1 ;; esac\n'
BARE = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n'
SHIM = "#!/bin/sh\necho 'not found in this version manager' >&2\nexit 127\n"
GOOD = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def machine(tmp_path):
    """Return a function that runs a tool on a machine which has only the given programs."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run(tool, *arguments, programs, **environment):
        for name, body in programs.items():
            (folder / name).write_text(body)
            (folder / name).chmod(stat.S_IRWXU)
        shell = shutil.which("sh")
        assert shell
        for helper in ("printf", "sed"):
            found = shutil.which(helper)
            if found and not (folder / helper).exists():
                (folder / helper).symlink_to(found)
        return subprocess.run(
            [shell, tree.ROOT / "tools" / tool, *arguments],
            env={"PATH": str(folder), **environment},
            capture_output=True,
            text=True,
            timeout=30,
        )

    return run


def test_a_usable_python_is_found_past_shims_and_old_ones(machine):
    answer = machine("find-python", programs={"python3": OLD, "python3.14": SHIM, "python3.12": GOOD})
    assert answer.returncode == 0
    assert answer.stdout.strip().endswith("/python3.12")


def test_this_python_is_usable(machine):
    answer = machine("find-python", programs={}, PYTHON=sys.executable)
    assert answer.stdout.strip() == sys.executable


@pytest.mark.parametrize("programs", [{}, {"python3": OLD}, {"python3": SHIM}])
def test_no_python(machine, programs):
    answer = machine("find-python", programs=programs)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[0] == "no python 3.11 or newer found"
    assert answer.stderr.splitlines()[1].startswith("next step: ")


def test_a_python_that_was_named_and_is_too_old(machine):
    answer = machine("find-python", programs={"mine": OLD, "python3": GOOD}, PYTHON="mine")
    assert answer.returncode == 1
    assert answer.stderr == "python is not usable: mine (covey needs 3.11 or newer)\n"


def test_a_python_without_environments(machine):
    answer = machine("find-python", programs={"python3": BARE})
    assert answer.returncode == 1
    assert "python3 has no venv or ensurepip" in answer.stderr


def test_nothing_to_build_with(machine):
    answer = machine("check-toolchain", programs={})
    assert answer.returncode == 1
    assert [line.split(":")[0] for line in answer.stderr.splitlines()] == [
        "cargo not found",
        "next step",
        "C compiler not found",
        "next step",
    ]


@pytest.mark.parametrize(
    ("version", "code"), [("1.63.0", 1), ("1.88.0", 1), ("1.89.0-nightly", 0), ("1.100.0", 0)]
)
def test_a_rust_that_is_too_old_is_named_before_cargo_reads_a_manifest(machine, version, code):
    cargo = f'#!/bin/sh\necho "cargo {version} (0000000000 2022-06-30)"\n'
    answer = machine("check-toolchain", programs={"cargo": cargo, "cc": GOOD})
    assert answer.returncode == code
    if code:
        minor = version.split(".")[1]
        first, then = answer.stderr.splitlines()
        assert first == f"cargo is of Rust 1.{minor}: the native core needs 1.89 or newer"
        assert then.startswith("next step: rustup update")


def test_a_missing_part_of_rust_is_named(machine):
    cargo = '#!/bin/sh\n[ "$1" != fmt ]\n'
    answer = machine("check-toolchain", "fmt", "clippy", programs={"cargo": cargo, "cc": GOOD})
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "cargo fmt not found: the checks need it",
        "next step: rustup component add rustfmt, then run make again",
    ]


def test_everything_is_there(machine):
    answer = machine("check-toolchain", "fmt", programs={"cargo": GOOD, "cc": GOOD})
    assert (answer.returncode, answer.stderr) == (0, "")
