"""Two processes with one identity: the later one ends with 2, says so, and has kept what it heard."""

from __future__ import annotations

import shutil
import tempfile

from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from tests.e2e.program import Program
from tests.e2e.test_relay import relay


def copied(covey: Program, name: str, **env: str) -> Program:
    """Copy a home with the identity in it, as a person would move a peer to another folder."""
    home = covey.home.parent / name
    shutil.copytree(covey.home, home, ignore=shutil.ignore_patterns("run", "registry"))
    return Program(home, **env)


def test_a_copied_home_does_not_run_beside_its_original(covey: Program) -> None:
    covey("keygen", "writer")
    with covey.start("listen", "writer", "--json") as first:
        first.event("listening")
        later = copied(covey, "copy")("listen", "writer")
        assert later.code == 2
        assert f"process {first.process.pid}" in later.err
        assert "covey keygen" in later.err
        assert covey("status", "writer").code == 0
    again = copied(covey, "moved")
    with again.start("listen", "writer", "--json") as moved:
        moved.event("listening")


def test_x16_an_identity_collision_ends_the_later_process_with_2_and_state_flushed(
    covey: Program,
) -> None:
    covey("keygen", "writer")
    # Another machine, as far as locks go: what tells the two of each other is the relay alone.
    elsewhere = tempfile.mkdtemp()  # short, as a runtime folder has to be
    other = copied(covey, "other", XDG_RUNTIME_DIR=elsewhere)
    with relay(covey) as (_, url), covey.start("listen", "writer", "--relay", url, "--json") as first:
        first.event("listening")
        with IpcClient(Home.resolve(covey.env).socket_path("writer")) as peer:
            while peer.request("status")["node"]["relays"][0]["state"] != "joined":
                pass
        later = other("listen", "writer", "--relay", url, "--json")
        assert later.code == 2
        assert "this identity is in use" in later.err
        assert covey("status", "writer").code == 0, "the one that was there goes on"
    assert other("recall", "writer").code == 0, "its store is whole, and its lock is free"
    shutil.rmtree(elsewhere)
