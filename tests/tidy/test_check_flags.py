"""Every place that could put one processor's instructions into a wheel is looked at, whoever builds it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import tree
from tools import check_flags

NATIVE = "-C target-cpu=native"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout two folders down, where no folder above the first has a file of cargo's."""
    made = tmp_path / "work" / "covey"
    made.mkdir(parents=True)
    return made


def found(checkout: Path, **environ: str) -> list[str]:
    """Return what is found, with a home that is empty unless one is given."""
    return check_flags.problems({"CARGO_HOME": str(checkout / "no-home"), **environ}, checkout)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUSTFLAGS", NATIVE),
        ("CARGO_ENCODED_RUSTFLAGS", "-C\x1ftarget-cpu=native\x1f-g"),
        ("CARGO_BUILD_RUSTFLAGS", "-Ctarget-cpu=haswell"),
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", NATIVE),
        ("CARGO_TARGET_AARCH64_APPLE_DARWIN_RUSTFLAGS", NATIVE),
        ("RUSTFLAGS", "-C target-feature=-crt-static,+avx2"),
    ],
)
def test_each_variable_is_looked_at(checkout, name, value):
    (line,) = found(checkout, **{name: value})
    assert line.startswith(f"{name}: target-")
    assert line.endswith("such a wheel dies on other machines")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CFLAGS", "-O2 -march=native", "-march=native"),
        ("CXXFLAGS", "-mcpu=native -O2", "-mcpu=native"),
        ("CFLAGS", "-mtune=native", "-mtune=native"),
        ("CFLAGS", "-march=x86-64-v3", "-march=x86-64-v3"),
        ("CFLAGS", "-march=armv8-a+crypto", "-march=armv8-a+crypto"),
        ("CFLAGS", "-O2 -mavx2", "-mavx2"),
        ("CFLAGS", "-msse4.2", "-msse4.2"),
        ("CXXFLAGS", "/O2 /arch:AVX2", "/arch:AVX2"),
        ("TARGET_CFLAGS", "-march=native", "-march=native"),
        ("HOST_CFLAGS", "-march=native", "-march=native"),
        ("HOST_CXXFLAGS", "-march=native", "-march=native"),
        ("CFLAGS_x86_64_unknown_linux_gnu", "-march=native", "-march=native"),
        ("CFLAGS_x86_64-unknown-linux-gnu", "-march=native", "-march=native"),
        ("CXXFLAGS_aarch64_apple_darwin", "-mcpu=apple-m4", "-mcpu=apple-m4"),
        ("CC", "ccache gcc -march=native", "-march=native"),
        ("CC_aarch64_unknown_linux_musl", "zig cc -mcpu=neoverse_n1", "-mcpu=neoverse_n1"),
    ],
)
def test_each_variable_of_the_c_compiler_is_looked_at(checkout, name, value, says):
    assert found(checkout, **{name: value}) == [f"{name}: {says}: such a wheel dies on other machines"]


@pytest.mark.parametrize("value", ['"-march=native"', '{ value = "-O2 -march=native", force = true }'])
def test_what_cargo_says_to_the_c_compiler_is_looked_at(checkout, value):
    path = written(checkout / ".cargo/config.toml", f"[env]\nCFLAGS = {value}\nLANG = '-march=native'\n")
    (line,) = found(checkout)
    assert line == f"{path}: env.CFLAGS: -march=native: such a wheel dies on other machines"


@pytest.mark.parametrize(
    "value",
    [
        "-O3 -g -fPIC -m64 -mno-avx -mmacosx-version-min=11.0 -march=x86-64 -mtune=generic",
        "-arch arm64 -mfpmath=sse -msse2 -march=armv8-a",
        "zig cc -mcpu=baseline",
    ],
)
def test_flags_of_the_c_compiler_that_every_processor_bears_are_let_be(checkout, value):
    assert found(checkout, CFLAGS=value, CC=value, CFLAGS_thumbv7em_none_eabi="-mcpu=cortex-m4") == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[build]\nrustflags = ["-C", "target-cpu=native"]\n', "build.rustflags"),
        (f'[build]\nrustflags = "{NATIVE}"\n', "build.rustflags"),
        (
            f'[target.x86_64-unknown-linux-gnu]\nrustflags = ["{NATIVE}"]\n',
            "target.x86_64-unknown-linux-gnu.rustflags",
        ),
        (
            f"""[target.'cfg(target_arch = "x86_64")']\nrustflags = ["{NATIVE}"]\n""",
            'target.cfg(target_arch = "x86_64").rustflags',
        ),
    ],
)
@pytest.mark.parametrize("place", ["work/covey/.cargo", "work/.cargo", ".cargo", "home"])
@pytest.mark.parametrize("name", ["config.toml", "config"])
def test_each_file_of_the_checkout_above_it_and_of_cargos_home_is_looked_at(
    tmp_path, checkout, text, where, place, name
):
    path = written(tmp_path / place / name, text)
    (line,) = found(checkout, CARGO_HOME=str(tmp_path / "home"))
    assert line == f"{path}: {where}: target-cpu=native: such a wheel dies on other machines"


def test_cargos_home_is_where_it_is_without_the_variable(tmp_path, checkout):
    written(tmp_path / "me/.cargo/config.toml", f'[build]\nrustflags = ["{NATIVE}"]\n')
    assert len(check_flags.problems({"HOME": str(tmp_path / "me")}, checkout)) == 1


INCLUDES = ('"more.toml"', '["more.toml"]', '[{ path = "more.toml", optional = true }]')


@pytest.mark.parametrize("include", INCLUDES)
def test_what_a_file_includes_is_looked_at_once(checkout, include):
    written(checkout / ".cargo/config.toml", f"include = {include}\n")
    more = written(
        checkout / ".cargo/more.toml", f'include = "config.toml"\n[build]\nrustflags = ["{NATIVE}"]\n'
    )
    (line,) = found(checkout)
    assert line.startswith(f"{more}: build.rustflags: ")


def test_what_harms_no_wheel_is_let_be(checkout):
    text = """
        [build]
        rustflags = ["-C", "link-arg=-fuse-ld=mold", "-C", "target-feature=+crt-static"]
        [target.thumbv7em-none-eabihf]
        rustflags = ["-C", "target-cpu=cortex-m4"]
        [target.x86_64-unknown-linux-gnu]
        linker = "clang"
    """
    written(checkout / ".cargo/config.toml", text)
    written(checkout.parent / ".cargo/config.toml", "this is no TOML")
    environ = {"CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS": NATIVE, "RUSTFLAGS": "-g", "CFLAGS": "-O2"}
    assert found(checkout, **environ) == []


def test_wheels_ends_with_2_and_the_next_step_before_it_touches_anything(checkout):
    (checkout / "tools").mkdir()
    for name in ("wheels", "check_flags.py"):
        shutil.copy(tree.ROOT / "tools" / name, checkout / "tools")
    old = written(checkout / "dist/covey-0.whl", "")
    done = subprocess.run(
        [checkout / "tools/wheels"],  # no triple: all are wanted, and what is in dist would go
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "CARGO_BUILD_RUSTFLAGS": NATIVE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines() == [
        "CARGO_BUILD_RUSTFLAGS: target-cpu=native: such a wheel dies on other machines",
        "next step: unset or take out each of these, then build again",
    ]
    assert old.exists()


def test_a_build_with_flags_for_c_ends_with_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools.check_flags"],
        cwd=tree.ROOT,
        env={"PATH": "/usr/bin:/bin", "CARGO_HOME": str(tmp_path), "CFLAGS": "-march=native"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[0] == "CFLAGS: -march=native: such a wheel dies on other machines"


def test_make_wheel_looks_first():
    recipe = tree.text("Makefile").partition("\nwheel:")[2].splitlines()[1:]
    assert recipe[0].strip() == "@$(BIN)/python -m tools.check_flags"
