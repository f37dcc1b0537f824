"""The Node product's files, read and never written: keys, trusted keys, state, and its mesh's identities.

Formats (its version 0.1.10, and 0.12 of the mesh beneath it):

    <base>/keys/<peer>.key                PKCS#8 DER of an Ed25519 key, 48 bytes
    <base>/keys/<peer>.pub                SubjectPublicKeyInfo DER, 44 bytes
    <base>/keys/<peer>.json               {peer, algorithm, createdAt, fingerprint, publicKeyBase64Url}
    <base>/trusted-keys/<group>/<peer>.json   {peer, group, fingerprint, publicKeyBase64Url, trustedAt}
    <base>/state/<peer>.json              {schemaVersion: 1, totals, lastRun, …}
    <mesh>/nodes/<peer>/identity.json     {nodeId, createdAt, publicKey, privateKey}

Rules: every file is bounded, and one that is not what it should be is `Unusable` with the reason.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from covey import typed
from covey.errors import UsageError
from covey.limits import MIGRATE_FILE_BYTES, MIGRATE_FILES
from covey.system.sealing import unb64
from covey.values import dataclass

_PKCS8: Final = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410 §7, before the seed
_SPKI: Final = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4, before the public key


class Unusable(Exception):  # noqa: N818 (its message is a line of the report; it never leaves this package)
    """A file that cannot be carried; the message says why."""


@dataclass(frozen=True, slots=True)
class OldKey:
    """An Ed25519 key of the Node product. `node_id` is None where the old file gave the key none."""

    seed: bytes
    public_key: bytes
    created_ms: int | None
    node_id: str | None
    file: Path
    mode: int


@dataclass(frozen=True, slots=True)
class OldTrust:
    """One key that a group trusted."""

    peer: str
    public_key: bytes
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class OldTotals:
    """What a peer did in its life there, and how its last run was started."""

    runs: int
    emitted: int
    suppressed: int
    calls: int
    cost_usd: float
    group: str | None
    config: Path | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the Node product kept its files: its own folder, and that of the mesh beneath it."""

    base: Path
    mesh: Path
    unread: Path | None = None
    """A second folder of its own, of an earlier version; only the first is read."""

    @staticmethod
    def find(env: Mapping[str, str], base: Path | None, mesh: Path | None) -> Source:
        """Return where its files are, or would be, by its own rules.

        Raises:
            UsageError: A folder was named and is not there.
        """
        user = Path(env.get("HOME") or "/")
        for named in (base, mesh):
            if named is not None and not named.is_dir():
                raise UsageError(f"no folder: {named}")
        said = env.get("XMESH_RUNTIME_DIR") or env.get("XMESH_AGENT_RUNTIME_DIR") or ""
        places = [base] if base else [Path(said)] if said else [user / ".xmesh", user / ".xmesh-agent"]
        there = [place for place in places if place.is_dir()]
        beneath = mesh or Path(env.get("SYM_STATE_DIR") or user / ".sym")
        return Source(there[0] if there else places[0], beneath, there[1] if len(there) > 1 else None)

    def names(self) -> list[str]:
        """Return every peer there is a key or a state of."""
        keys = (path.stem for path in _files(self.base / "keys", ".key"))
        states = (path.stem for path in _files(self.base / "state", ".json"))
        return sorted({*keys, *states})

    def groups(self) -> list[str]:
        """Return every group that trusts somebody."""
        folder = self.base / "trusted-keys"
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def strays(self) -> Iterator[Path]:
        """Yield files that are none of the known ones."""
        known = {"keys": (".key", ".pub", ".json"), "state": (".json",), "trusted-keys": (".json",)}
        looked = 0
        for place, folders, files in os.walk(self.base):
            folders.sort()
            parts = Path(place).relative_to(self.base).parts
            for name in sorted(files):
                looked += 1
                if looked > MIGRATE_FILES:
                    return
                if not parts or not name.endswith(known.get(parts[0], ())):
                    yield Path(place) / name

    def key(self, name: str) -> OldKey | None:
        """Return the key that people of the Node product verified; None where there is none.

        Raises:
            Unusable: It is there and cannot be carried.
        """
        file = self.base / "keys" / f"{name}.key"
        raw = _read(file)
        if raw is None:
            return None
        if len(raw) != 48 or not raw.startswith(_PKCS8):
            raise Unusable(f"{file} is no Ed25519 key in PKCS#8")
        seed = raw[len(_PKCS8) :]
        public_key = _public(seed)
        spki = _read(file.with_suffix(".pub"))
        if spki is not None and spki != _SPKI + public_key:
            raise Unusable(f"{file.with_suffix('.pub')} is not the public half of {file.name}")
        facts = _object(file.with_suffix(".json")) or {}
        if facts.get("publicKeyBase64Url") not in (None, _b64(public_key)):
            raise Unusable(f"{file.with_suffix('.json')} names another key than {file.name}")
        return OldKey(seed, public_key, _ms(facts.get("createdAt")), None, file, _mode(file))

    def mesh_key(self, name: str) -> OldKey | None:
        """Return the identity that signed on the mesh; None where there is none.

        Raises:
            Unusable: It is there and cannot be carried.
        """
        file = self.mesh / "nodes" / name / "identity.json"
        facts = _object(file)
        if facts is None:
            return None
        try:
            seed = unb64(facts.get("privateKey"), 32, "privateKey")
            public_key = unb64(facts.get("publicKey"), 32, "publicKey")
        except ValueError as error:
            raise Unusable(f"{file}: {error}") from error
        if public_key != _public(seed):
            raise Unusable(f"{file}: publicKey is not the key of privateKey")
        node_id, created = facts.get("nodeId"), facts.get("createdAt")
        if not isinstance(node_id, str):
            raise Unusable(f"{file}: nodeId is no text")
        created_ms = created if type(created) is int and created >= 0 else None
        return OldKey(seed, public_key, created_ms, node_id, file, _mode(file))

    def trusted(self, group: str) -> Iterator[OldTrust | Unusable]:
        """Yield each key that a group trusted, or why it cannot be carried."""
        for file in _files(self.base / "trusted-keys" / group, ".json"):
            try:
                yield _trust(file)
            except Unusable as error:
                yield error

    def totals(self, name: str) -> OldTotals | None:
        """Return a peer's lifetime; None where it never ran.

        Raises:
            Unusable: It is there and cannot be carried.
        """
        file = self.base / "state" / f"{name}.json"
        facts = _object(file)
        if facts is None:
            return None
        if facts.get("schemaVersion") != 1:
            raise Unusable(f"{file}: schemaVersion {facts.get('schemaVersion')!r}, expected 1")
        totals, last = facts.get("totals"), facts.get("lastRun")
        if not isinstance(totals, dict):
            raise Unusable(f"{file}: no totals")
        group, config = (
            (last.get("group"), last.get("configPath")) if isinstance(last, dict) else (None, None)
        )
        return OldTotals(
            _count(file, totals, "runs"),
            _count(file, totals, "cmbsEmitted"),
            _count(file, totals, "cmbsSuppressed"),
            _count(file, totals, "modelCalls"),
            _amount(file, totals, "costUsdTotal"),
            group if isinstance(group, str) else None,
            Path(config) if isinstance(config, str) and "\0" not in config else None,
        )

    def remembered(self, name: str) -> int:
        """Return how many blocks a peer's node remembered on the old mesh."""
        return sum(1 for _ in _files(self.mesh / "nodes" / name / "cmbs", ".json"))


def _trust(file: Path) -> OldTrust:
    facts = _object(file) or {}
    try:
        public_key = unb64(facts.get("publicKeyBase64Url"), 32, "publicKeyBase64Url")
    except ValueError as error:
        raise Unusable(f"{file}: {error}") from error
    peer = facts.get("peer")
    return OldTrust(peer if isinstance(peer, str) else file.stem, public_key, _ms(facts.get("trustedAt")))


def _public(seed: bytes) -> bytes:
    from covey import _core

    return bytes(_core.SigningKey(seed).public_key)


def _b64(raw: bytes) -> str:
    from covey.system.sealing import b64

    return b64(raw)


def _files(folder: Path, suffix: str) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.name.endswith(suffix) and path.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found)[:MIGRATE_FILES]


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as source:
            raw = source.read(MIGRATE_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(f"cannot read {file}: {error.strerror or error}") from error
    if len(raw) > MIGRATE_FILE_BYTES:
        raise Unusable(f"{file} has more than {MIGRATE_FILE_BYTES} bytes")
    return raw


def _object(file: Path) -> dict[str, Any] | None:
    raw = _read(file)
    if raw is None:
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{file} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unusable(f"{file} is no JSON object")
    return found


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def _ms(text: object) -> int | None:
    """Return the milliseconds of an ISO 8601 time; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1_000))
    except (ValueError, OverflowError):
        return None


def _count(file: Path, totals: Mapping[str, Any], key: str) -> int:
    value = totals.get(key, 0)
    if type(value) is not int or not 0 <= value < 2**53:
        raise Unusable(f"{file}: totals.{key} is no count")
    return value


def _amount(file: Path, totals: Mapping[str, Any], key: str) -> float:
    try:
        return typed.amount(totals.get(key, 0), key)
    except typed.WrongTypeError as error:
        raise Unusable(f"{file}: totals.{key} is no amount") from error
