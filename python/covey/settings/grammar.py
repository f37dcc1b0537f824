"""How single strings of agent.toml become values: names, addresses, URLs, identities, patterns.

Rules: pure; each parser returns the value or raises ValueError(what was expected), in words for a person.
What only few files need is imported where it is needed: every start of a peer reads this room.
"""

from __future__ import annotations

import re

from covey import names
from covey.values import dataclass

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}\Z")
_NODE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
_CAPABILITY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class StaticPeer:
    """An address to dial: a host name, IPv4 or IPv6 address without brackets, and a port.

    `fingerprint` is the one key that may be proved there; None takes any.
    """

    host: str
    port: int
    fingerprint: str | None = None

    @staticmethod
    def parse(text: str) -> StaticPeer:
        """Read `host:port` or `host:port#<key fingerprint>`; an IPv6 address stands in brackets.

        Raises:
            ValueError: What was expected.
        """
        place, sign, key = text.strip().partition("#")
        plain = StaticPeer.parse_plain(place)
        return StaticPeer(plain.host, plain.port, fingerprint(key)) if sign else plain

    @staticmethod
    def parse_plain(text: str) -> StaticPeer:
        """Read `host:port`, where no key can be named.

        Raises:
            ValueError: What was expected.
        """
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
            raise ValueError("an address as host:port with a port from 1 to 65535")
        if host.startswith("[") and host.endswith("]"):
            return StaticPeer(_ipv6(host[1:-1]), int(port))
        if not _HOST.match(host):
            raise ValueError("an address as host:port, an IPv6 host in brackets")
        return StaticPeer(host, int(port))

    def __str__(self) -> str:
        place = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"{place}#{self.fingerprint}" if self.fingerprint else place


def listen_address(text: str) -> StaticPeer:
    """Return an address to listen on: `localhost` or an IP address of this machine, and a port or 0."""
    host, _, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    numbers = bare == "localhost" or re.fullmatch(r"[0-9a-fA-F:.]+", bare)
    if not numbers or (":" in bare) == (bare == host) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError("an address to listen on, as 127.0.0.1:9464, an IPv6 host in brackets")
    if int(port) > 65_535:
        raise ValueError("a port from 0 to 65535")
    return StaticPeer(_ipv6(bare) if ":" in bare else bare, int(port))


def _ipv6(text: str) -> str:
    from ipaddress import IPv6Address

    try:
        return str(IPv6Address(text))
    except ValueError:
        raise ValueError("an IPv6 address between the brackets") from None


def interface(text: str) -> str:
    """Return the name of an interface or one of its addresses."""
    if _INTERFACE.match(text):
        return text
    raise ValueError("the name of an interface, or an address of one")


def peer_name(text: str) -> str:
    """Return a usable peer name (see `covey.names`)."""
    complaint = names.peer_complaint(text)
    if complaint is not None:
        raise ValueError(f"a peer name: {complaint}")
    return text


def team_name(text: str) -> str:
    """Return a usable name for a team's purse: it becomes a file's name, as a peer's does."""
    complaint = names.peer_complaint(text)
    if complaint is not None:
        raise ValueError(f"a team name: {complaint}")
    return text


def room_name(text: str) -> str:
    """Return a usable room identifier (see `covey.names`)."""
    complaint = names.room_complaint(text)
    if complaint is not None:
        raise ValueError(f"a room: {complaint}")
    return text


def base_url(text: str) -> str:
    """Return an http or https URL without query, fragment, credentials or trailing slash."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or any(char.isspace() for char in text):
        raise ValueError("an http:// or https:// address")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("an address without query, fragment, user or password")
    return text.rstrip("/")


def relay_url(text: str) -> str:
    """Return a WebSocket URL without credentials, query, fragment or trailing slash."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or any(char.isspace() for char in text):
        raise ValueError("a wss:// address")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("an address without query, fragment, user or password")
    return text.rstrip("/")


def needs_tls(url: str) -> bool:
    """Tell whether an address is ws:// or http:// and leads beyond this machine."""
    return not url.startswith(("wss:", "https:")) and leads_away(url)


def leads_away(url: str) -> bool:
    """Tell whether an address leads beyond this machine."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def proxy_url(text: str) -> str:
    """Return an HTTP proxy's address: http or https, a host, and perhaps a port, a user and a password."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or any(char.isspace() for char in text):
        raise ValueError("an http:// or https:// address of a proxy")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a proxy's address without path, query or fragment")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("a proxy's user and password, or neither")
    return text.rstrip("/")


def identity_name(text: str) -> str:
    """Return a nodeId (lower-case UUID) or a key fingerprint (64 hexadecimal digits)."""
    plain = text.strip().lower()
    if _FINGERPRINT.match(plain):
        return plain
    try:
        return node_id(plain)
    except ValueError as error:
        raise ValueError(f"{error} or a key fingerprint (64 hexadecimal digits)") from None


def public_key(text: str) -> str:
    """Return an Ed25519 public key as `covey fingerprint` prints it: 43 characters of base64url."""
    plain = text.strip()
    if _PUBLIC_KEY.match(plain):
        return plain
    raise ValueError("a public key (43 characters of base64url)")


def anchor_member(text: str) -> str:
    """Return a member of an anchor: a public key, or `key:nodeId` where its holder's node is known."""
    key, colon, holder = text.strip().partition(":")
    try:
        return f"{public_key(key)}:{node_id(holder)}" if colon else public_key(key)
    except ValueError as error:
        raise ValueError("a public key of the anchor, alone or as key:nodeId") from error


def fingerprint(text: str) -> str:
    """Return a key fingerprint: 64 hexadecimal digits in lower case."""
    plain = text.strip().lower()
    if _FINGERPRINT.match(plain):
        return plain
    raise ValueError("a key fingerprint (64 hexadecimal digits)")


def node_id(text: str) -> str:
    """Return a nodeId: a UUID in lower case (MMP 2.0 §3.1)."""
    plain = text.strip().lower()
    if _NODE_ID.match(plain):
        return plain
    raise ValueError("a nodeId (a UUID)")


def variable_name(text: str) -> str:
    """Return the name of an environment variable."""
    if not _VARIABLE.match(text):
        raise ValueError("the name of an environment variable, not a value")
    return text


def capability(text: str) -> str:
    """Return a word that others find an agent by."""
    if not _CAPABILITY.match(text):
        raise ValueError("small letters, digits, '.', '_' and '-', for example translate.de")
    return text


def header_value(text: str) -> str:
    """Return a key that can stand in an HTTP header: printable ASCII without spaces."""
    if not all("!" <= char <= "~" for char in text):
        raise ValueError("printable ASCII without spaces")
    return text


def regex_source(text: str) -> str:
    """Return the source of a regular expression that compiles."""
    regex(text)
    return text


def regex(text: str) -> re.Pattern[str]:
    """Return a compiled pattern that ignores case."""
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"a regular expression ({error})") from None
