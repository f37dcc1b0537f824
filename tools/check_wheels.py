"""`python -m tools.check_wheels dist`: hold every wheel of a folder to what is promised of wheels.

Each is small, is typed, carries its licence and a list of what is linked into it (SBOM), and names the oldest
platform it runs on. Those for this machine's interpreters (this one, and a free-threaded one where there is
one) are installed with `--no-index`, and have to play the demo: three peers that sign, seal, judge and keep.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

BYTES = 6_000_000
"""A wheel's most: it must reach small machines over slow lines."""
ELSEWHERE = re.compile(rb"path\+file:///(?!rust/)")
"""What a list says of where the wheel was built (tools/plain_lists.py)."""
PLATFORMS = ("manylinux_2_17_", "manylinux2014_", "musllinux_1_2_", "macosx_")
TYPED = ("covey/py.typed", "covey/_core.pyi")
FREE_THREADED = "python3.14t"
"""It takes no abi3 wheel, so it is asked for its own."""


def problems(wheel: Path) -> list[str]:
    """Return what is wrong with one wheel that is for others."""
    aged = any(platform in wheel.name for platform in PLATFORMS)
    return [*carried(wheel), *([] if aged else ["its name promises no platform by age"])]


def carried(wheel: Path) -> list[str]:
    """Return what is wrong with what one wheel weighs and carries, also one that is only for this machine."""
    found = []
    if wheel.stat().st_size >= BYTES:
        found.append(f"{wheel.stat().st_size:,} bytes, at most {BYTES:,} are promised")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        found += [f"carries no {name}" for name in TYPED if name not in names]
        if not any(name.endswith("/LICENSE") for name in names):
            found.append("carries no licence")
        lists = [name for name in names if "/sboms/" in name and name.endswith(".json")]
        linked = [part for name in lists for part in json.loads(archive.read(name)).get("components", [])]
        if not any(part.get("purl", "").startswith("pkg:cargo/") for part in linked):
            found.append("carries no list of what is linked into it")
        if not any(part["name"] == "sqlite" for part in linked):
            found.append("does not say which SQLite is linked into it")
        if any(ELSEWHERE.search(archive.read(name)) for name in lists):
            found.append("says in which folder it was built")
    return found


def interpreters() -> list[str]:
    """Return the interpreters that wheels are tried with."""
    free = shutil.which(FREE_THREADED)
    return [sys.executable, *([free] if free else [])]


def runs_here(wheel: Path, interpreter: str) -> bool:
    """Say whether an interpreter would install it."""
    tags = subprocess.run(
        [interpreter, "-m", "pip", "debug", "--verbose"], capture_output=True, text=True, check=True
    ).stdout.split()
    python, abi, platforms = wheel.stem.split("-")[-3:]
    return any(f"{python}-{abi}-{platform}" in tags for platform in platforms.split("."))


def tried(wheel: Path, interpreter: str) -> str:
    """Install a wheel with no index, from a folder of all it needs, and use it; return its version."""
    with tempfile.TemporaryDirectory(prefix="covey-wheel-") as name:
        house, env = Path(name) / "house", Path(name) / "env"
        pip = [interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        locked = "requirements/run.txt"
        subprocess.run([*pip, "download", "--require-hashes", "-r", locked, "-d", str(house)], check=True)
        subprocess.run([interpreter, "-m", "venv", str(env)], check=True)
        inside = [str(env / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*inside, "install", "--no-index", "--find-links", str(house), str(wheel)], check=True)
        covey, home = str(env / "bin" / "covey"), {**os.environ, "COVEY_HOME": str(Path(name) / "home")}
        home.pop("PYTHONPATH", None)  # what is tried is the wheel, not a checkout

        def says(*words: str) -> str:
            command = [covey, *words]
            return subprocess.run(
                command, check=True, cwd=name, env=home, stdout=subprocess.PIPE, text=True
            ).stdout

        played = json.loads(says("demo", "--adapter", "scripted", "--json").splitlines()[-1])
        if played["ok"] is not True:
            raise RuntimeError(f"the demo of {wheel.name} did not come to its end")
        return says("--version").strip()


def main(arguments: list[str]) -> int:
    """Check every wheel of the folder; print a line for each."""
    wheels = sorted(Path(arguments[0]).glob("*.whl"))
    failed = not wheels
    for wheel in wheels:
        found = problems(wheel)
        failed = failed or bool(found)
        said = "; ".join(found) or f"{wheel.stat().st_size / 1e6:.1f} MB"
        takers = [interpreter for interpreter in interpreters() if runs_here(wheel, interpreter)]
        if not takers:
            said += "; not tried: no interpreter here takes it"
        for interpreter in takers if not found else ():
            where = Path(interpreter).name
            said += f"; installed without an index by {where}: {tried(wheel, interpreter)}"
        print(f"{wheel.name}: {said}")
    if not wheels:
        print("no wheel was built")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
