"""What part a machine has among those that share models: leader, peer or solo, and which rule said so. Pure.

Rules: the first rule that holds decides, in this order: the environment, a person's choice, the file of
nodes, a tunnel or keys of a door here, a saved leader, a model of its own, and at last that it could lead.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from covey.values import dataclass

Role = Literal["leader", "peer", "solo"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine has: each as the words for where it stands, or None where it does not.

    `environment`, `chosen` and `node_role` are roles; the others say what was found.
    """

    environment: str | None = None
    chosen: str | None = None
    node_role: str | None = None
    node_name: str = ""
    tunnel: str | None = None
    door: str | None = None
    connection: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A role, the rule that chose it by a stable word, and a sentence for people."""

    role: Role
    rule: str
    why: str


def role_of(facts: Facts) -> Chosen:
    """Return the role of a machine and why.

    Raises:
        ValueError: The environment, or a person's choice, names no role.
    """
    if facts.environment is not None:
        return Chosen(_role(facts.environment, "COVEY_ROLE"), "environment", "COVEY_ROLE says so")
    if facts.chosen is not None:
        return Chosen(_role(facts.chosen, "the chosen role"), "chosen", "covey role --set said so")
    if facts.node_role is not None:
        role = _role(facts.node_role, "mesh.toml")
        return Chosen(role, "mesh-file", f"mesh.toml says that this machine, {facts.node_name}, is one")
    if facts.tunnel is not None:
        return Chosen("leader", "tunnel", f"a tunnel leads here: {facts.tunnel}")
    if facts.door is not None:
        return Chosen("leader", "door", f"a door here has keys: {facts.door}")
    if facts.connection is not None:
        return Chosen("peer", "connection", f"a leader is saved: {facts.connection}")
    if facts.model is not None:
        return Chosen("solo", "model", f"it has a model of its own: {facts.model}")
    return Chosen("leader", "default", "nothing says otherwise: it could share a model, and uses nobody's")


def _role(word: str, where: str) -> Role:
    found = next((each for each in ROLES if each == word.strip().lower()), None)
    if found is None:
        raise ValueError(f"{where}: one of {', '.join(ROLES)}")
    return found
