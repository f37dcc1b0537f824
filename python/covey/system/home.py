"""Where a user's peers live on disk, and the private folders that hold them.

Rules: only paths and folders. Every folder is 0700 before the first file is written into it, every name is
checked before it becomes a path, and a folder that is not ours alone is refused, never changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from covey.errors import StoreError
from covey.limits import SOCKET_PATH_BYTES
from covey.names import peer_complaint, peer_name
from covey.values import dataclass

ROOMS_OF_HOME: Final = ("peers", "run", "registry", "logs")
"""The folders of every home."""
_OURS: Final = (
    *ROOMS_OF_HOME,
    "teams",
    "demo",
    "node.json",
    "leader.json",
    "leader-probe.json",
    "mesh.toml",
    "role",
)
"""What covey may have put there; `covey demo` makes its own homes under `demo`, `covey node` its record."""
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one user's peers. Making the value touches nothing; `prepare` makes the folders."""

    path: Path
    fallback: Path
    """Where sockets go whose path would be too long for the system; private to the user."""

    @staticmethod
    def resolve(env: Mapping[str, str]) -> Home:
        """Return the home that `env` names: `$COVEY_HOME`, else `~/.covey`.

        Raises:
            StoreError: Neither COVEY_HOME nor HOME says where.
        """
        named = env.get("COVEY_HOME") or ""
        user = env.get("HOME") or ""
        if not named and not user:
            raise StoreError("home: neither COVEY_HOME nor HOME is set", hint="export COVEY_HOME=<folder>")
        path = Path(named) if named else Path(user) / ".covey"
        # abspath, not resolve: a home behind a symbolic link keeps the name its user gave it.
        return Home(Path(os.path.abspath(path)), _fallback_folder(env))  # noqa: PTH100

    def peer_folder(self, name: str) -> Path:
        """Return the folder of the peer called `name`."""
        return self.path / "peers" / peer_name(name)

    def identity_path(self, name: str) -> Path:
        """Return the file that holds the peer's identity."""
        return self.peer_folder(name) / "identity.json"

    def store_path(self, name: str) -> Path:
        """Return the peer's database."""
        return self.peer_folder(name) / "store.db"

    def trust_path(self, name: str) -> Path:
        """Return the file that names whom the peer trusts, and by which key."""
        return self.peer_folder(name) / "trust.json"

    def anchor_path(self, name: str) -> Path:
        """Return the file that names the pinned anchor of a peer."""
        return self.peer_folder(name) / "anchor.json"

    def claims_path(self, name: str) -> Path:
        """Return the file that says which key each stock peer claimed first."""
        return self.peer_folder(name) / "claims.json"

    def decisions_path(self, name: str) -> Path:
        """Return the folder of what the peer keeps of votes, auctions and what it solved with others."""
        return self.peer_folder(name) / "decisions"

    def invites_path(self, name: str) -> Path:
        """Return the file that keeps the invites the peer gave and took."""
        return self.peer_folder(name) / "invites.json"

    def grant_path(self, name: str) -> Path:
        """Return the file of the grant that came to the peer with an invite."""
        return self.peer_folder(name) / "room.grant"

    def substrate_folder(self, name: str) -> Path:
        """Return the folder of what the peer merged and offers; it is made when something is put there."""
        return self.peer_folder(name) / "substrate"

    def mcp_token_path(self, name: str) -> Path:
        """Return the file that holds the token of the peer's MCP server over HTTP."""
        return self.peer_folder(name) / "mcp-token"

    def door_keys_path(self, name: str) -> Path:
        """Return the file of the keys to the model that the peer shares, as digests."""
        return self.peer_folder(name) / "door-keys.json"

    def door_state_path(self, name: str) -> Path:
        """Return the file of what each peer used of that model, and of the door's switches."""
        return self.peer_folder(name) / "door-state.json"

    def lock_path(self, name: str) -> Path:
        """Return the file whose lock says that the peer runs."""
        return self.peer_folder(name) / "lock"

    def identity_lock_path(self, node_id: str) -> Path:
        """Return the file whose lock says that a process of this user runs this identity, in whatever home.

        Raises:
            StoreError: Its folder cannot be made, or is not ours.
        """
        private_folder(self.fallback)
        return self.fallback / f"{node_id}.lock"

    @property
    def node_path(self) -> Path:
        """Return the record that says which agents this host runs, signed by each of them."""
        return self.path / "node.json"

    @property
    def leader_path(self) -> Path:
        """Return the file of the leader that this machine uses, with its key (`covey peer connect`)."""
        return self.path / "leader.json"

    @property
    def leader_probe_path(self) -> Path:
        """Return the file of what the last test of that leader found."""
        return self.path / "leader-probe.json"

    @property
    def mesh_path(self) -> Path:
        """Return the file that names leaders and peers by a person's own names (`covey peer init-mesh`)."""
        return self.path / "mesh.toml"

    @property
    def role_path(self) -> Path:
        """Return the file of the role that somebody chose for this machine (`covey role --set`)."""
        return self.path / "role"

    def team_path(self, team: str) -> Path:
        """Return the purse that the peers of a team share."""
        return self.path / "teams" / f"{peer_name(team)}.db"

    def prepare_team(self, team: str) -> Path:
        """Make the folder of the purses; return the team's file, which may not exist yet.

        Raises:
            StoreError: As `prepare`.
        """
        self.prepare()
        path = self.team_path(team)
        private_folder(path.parent)
        return path

    def teams(self) -> list[str]:
        """Return the names of all teams that have a purse here, sorted."""
        found = (path.stem for path in (self.path / "teams").glob("*.db"))
        return sorted(name for name in found if peer_complaint(name) is None)

    @property
    def registry_folder(self) -> Path:
        """Return where peers of this host announce themselves to each other."""
        return self.path / "registry"

    @property
    def logs_folder(self) -> Path:
        """Return where peers and commands write their logs."""
        return self.path / "logs"

    def log_path(self, name: str) -> Path:
        """Return the log of the peer called `name`."""
        return self.logs_folder / f"{peer_name(name)}.log"

    def socket_path(self, name: str) -> Path:
        """Return the peer's control socket; a path too long for the system becomes a hashed one."""
        direct = self.path / "run" / f"{peer_name(name)}.sock"
        if len(os.fsencode(direct)) <= SOCKET_PATH_BYTES:
            return direct
        digest = hashlib.sha256(os.fsencode(direct)).hexdigest()[:24]
        return self.fallback / f"{digest}.sock"

    def peers(self) -> list[str]:
        """Return the names of all peers that have a folder here, sorted; running or not.

        Raises:
            StoreError: The folder is there and cannot be read.
        """
        try:
            entries = list((self.path / "peers").iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _cannot("read", self.path / "peers", error) from error
        return sorted(each.name for each in entries if each.is_dir() and peer_complaint(each.name) is None)

    def prepare(self) -> None:
        """Make the home and its rooms, each 0700 from its first moment.

        Raises:
            StoreError: A folder cannot be made, or belongs to or is shared with somebody else.
        """
        private_folder(self.path, ours=self._is_ours, follow=True)
        for room in ROOMS_OF_HOME:
            private_folder(self.path / room)

    def prepare_peer(self, name: str) -> Path:
        """Make the home, the folder of one peer, and the folder of its socket; return the peer's folder.

        Raises:
            InvalidNameError: The name may not become a path.
            StoreError: As `prepare`.
        """
        folder = self.peer_folder(name)
        self.prepare()
        private_folder(folder)
        private_folder(self.socket_path(name).parent)
        return folder

    def _is_ours(self) -> bool:
        """Say whether an existing home holds nothing that is not covey's, so that closing it harms nobody."""
        return all(entry.name in _OURS for entry in self.path.iterdir())


def private_folder(path: Path, *, ours: Callable[[], bool] | None = None, follow: bool = False) -> None:
    """Make `path` a folder of mode 0700 that belongs to this user.

    Args:
        path: The folder; its parents are made as needed.
        ours: Says whether an existing, too open folder may be closed to others; None means yes.
        follow: True to accept a symbolic link to a folder, as a user may have made for the home itself.

    Raises:
        StoreError: The folder cannot be made or is not ours alone.
    """
    try:
        path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        facts = path.stat() if follow else path.lstat()
        if not stat.S_ISDIR(facts.st_mode):
            raise StoreError(
                f"not a folder: {path}", hint="something else has taken its place: look at it first"
            )
        if facts.st_uid != os.geteuid():
            raise StoreError(
                f"folder belongs to another user: {path}", hint="set COVEY_HOME to a folder of your own"
            )
        if stat.S_IMODE(facts.st_mode) & 0o077:
            if ours is not None and not ours():
                raise StoreError(
                    f"folder is open to others and holds other files: {path}",
                    hint="set COVEY_HOME to a folder of its own, or chmod 700 it",
                )
            path.chmod(_PRIVATE)
    except OSError as error:
        raise _cannot("use", path, error) from error


def _fallback_folder(env: Mapping[str, str]) -> Path:
    runtime = env.get("XDG_RUNTIME_DIR") or ""
    if runtime.startswith("/") and len(os.fsencode(runtime)) <= SOCKET_PATH_BYTES - 40:
        return Path(runtime) / "covey"
    return Path("/tmp") / f"covey-{os.getuid()}"


def _cannot(verb: str, path: Path, error: OSError) -> StoreError:
    why = error.strerror or str(error)
    return StoreError(f"cannot {verb} {path}: {why}", hint="check that the path exists and is yours")
