"""Build the model that a configuration names, and find one where none is named.

Rules: the environment comes in as a mapping; nothing here imports an SDK, and an adapter's own module is
imported when it is chosen: a scripted peer needs no HTTP client, a Claude peer no Ollama.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from covey.errors import ModelError, ModelErrorKind
from covey.limits import CHARS_PER_TOKEN
from covey.models.line import Line
from covey.models.prices import Quote, quote
from covey.models.sdk import installed, missing
from covey.ports import Model
from covey.settings import ADAPTERS, CUSTOM, ModelSettings, Settings
from covey.values import dataclass

_SDK = {"anthropic": "anthropic", "openai": "openai", "compatible": "openai"}
_OLLAMA_PORT = "11434"
_LOCAL = "runs on this machine"
_PEERS = "a peer's model: that peer keeps the account"


class PricedModel(Model, Protocol):
    """A model that also says what its calls cost and how we know."""

    quote: Quote


@dataclass(frozen=True, slots=True)
class Detected:
    """A model found without being named: settings for it, and one line that says why."""

    adapter: str
    model_name: str
    reason: str
    base_url: str | None = None


def build(settings: Settings, env: Mapping[str, str]) -> PricedModel:
    """Return the model a configuration names, ready to be called; no SDK is imported yet.

    Args:
        settings: The peer's settings.
        env: The environment: keys, OLLAMA_HOST.

    Raises:
        ModelError: Its key or its SDK is missing; it says how to get it.
    """
    model = settings.model
    kind = model.facts.kind
    if kind == "scripted":
        from covey.models.scripted import ScriptedModel

        return ScriptedModel(settings.scripted)
    if kind == CUSTOM:
        return _offered(model, env)
    check(model, env)
    price = price_of(model, env)
    return _vendors(settings, env, price)[kind]()


def _offered(model: ModelSettings, env: Mapping[str, str]) -> PricedModel:
    """Return a model of another distribution."""
    from covey.models import custom

    _named_key(model, env)
    return custom.build(
        custom.AdapterOptions(
            model.adapter,
            model.name,
            model.base_url,
            key_of(model, env),
            model.timeout,
            price_of(model, env),
        )
    )


def _vendors(
    settings: Settings, env: Mapping[str, str], price: Quote
) -> Mapping[str, Callable[[], PricedModel]]:
    """Return, by kind, what makes its model; only what is called is imported."""
    model = settings.model
    base_url, key = address(model, env), key_of(model, env)

    def ollama() -> PricedModel:
        from covey.models.ollama import OllamaModel

        def make(line: Line | None) -> OllamaModel:
            window = settings.context.max_context_tokens + model.max_tokens_per_call + _tool_tokens(settings)
            return OllamaModel(
                model.name, base_url or "", price, window_tokens=window, stream=model.stream, line=line
            )

        return _on_tape(make, model, key)

    def compatible() -> PricedModel:
        from covey.models.chat import Dialect
        from covey.models.compatible import CompatibleModel

        dialect = Dialect(model.stream, stream_usage=not model.facts.counts_unasked)

        def make(line: Line | None) -> CompatibleModel:
            return CompatibleModel(
                model.adapter, model.name, base_url or "", price, api_key=key, dialect=dialect, line=line
            )

        return _on_tape(make, model, key)

    def openai() -> PricedModel:
        from covey.models.chat import Dialect
        from covey.models.openai import OpenAIModel

        def make(line: Line | None) -> OpenAIModel:
            dialect = Dialect(model.stream)
            return OpenAIModel(
                model.name, key or "none", price, base_url=base_url, dialect=dialect, line=line
            )

        return _on_tape(make, model, key)

    def anthropic() -> PricedModel:
        from covey.models.anthropic import AnthropicModel, Options

        def make(line: Line | None) -> AnthropicModel:
            options = Options(model.stream, model.prompt_cache)
            return AnthropicModel(
                model.name, key or "none", price, base_url=base_url, options=options, line=line
            )

        return _on_tape(make, model, key)

    def mesh() -> PricedModel:
        from covey.models.chat import Dialect
        from covey.models.mesh import MeshLine, MeshModel

        carried = MeshLine(f"mesh/{model.name}", model.peer or "", key or "")

        def make(line: Line | None) -> MeshModel:
            return MeshModel(model.name, price, carried, dialect=Dialect(model.stream), line=line)

        return _on_tape(make, model, key)

    makers = {"ollama": ollama, "compatible": compatible, "openai": openai, "anthropic": anthropic}
    return {**makers, "mesh": mesh}


def _tool_tokens(settings: Settings) -> int:
    """Return the most tokens that the rounds of one wake add to its question: calls, and their results."""
    tools = settings.tools
    if not tools:
        return 0
    each = tools.max_result_bytes // CHARS_PER_TOKEN + settings.model.max_tokens_per_call
    return tools.max_calls_per_wake * each


class _Lined(PricedModel, Protocol):
    """A model of ours: one line to its vendor."""

    line: Line


def _on_tape(make: Callable[[Line | None], _Lined], model: ModelSettings, key: str | None) -> PricedModel:
    """Return a model whose calls go to the vendor, are recorded on their way, or come from a tape."""
    if model.replay is not None:
        from covey.models.tape import Player

        return make(Player(f"{model.adapter}/{model.name}", model.replay, model.adapter))
    if model.record is not None:
        from covey.models.tape import Recorder

        return make(Recorder(make(None).line, model.record, model.adapter, key))
    return make(None)


def check(model: ModelSettings, env: Mapping[str, str]) -> str:
    """Return, for dry-run, what stands ready: adapter, model, key or address.

    Raises:
        ModelError: The key or the SDK is missing. Nobody is contacted.
    """
    kind = model.facts.kind
    label = f"{model.adapter} {model.name}"
    if kind == "scripted":
        return label
    if kind == CUSTOM:
        from covey.models import custom

        _named_key(model, env)
        offer, _ = custom.find(model.adapter)
        return f"{label} ({offer.target} of {offer.distribution})"
    if model.replay is not None:
        from covey.models.tape import calls_on

        return f"{label} (replays {len(calls_on(model.replay))} recorded calls)"
    if kind == "ollama":
        url = address(model, env)
        return f"{label} baseUrl={url} (verify ollama is running: `curl {url}/api/tags`)"
    if kind == "mesh":
        return f"{label} of the peer {model.peer}"
    if not installed(_SDK[kind]):
        raise missing(_SDK[kind])
    if key_of(model, env) is not None:
        return f"{label} (key present)"
    variable = model.api_key_env or model.facts.key_env
    # A server of one's own may want no key; a key that was named, or a vendor's, must be there.
    if model.api_key_env is None and (model.base_url is not None or variable is None):
        return f"{label} at {model.base_url} (no key)"
    raise _no_key(model, variable or "")


def _named_key(model: ModelSettings, env: Mapping[str, str]) -> None:
    """Raise ModelError where agent.toml names a variable for the key and it is not set."""
    if model.api_key_env is not None and key_of(model, env) is None:
        raise _no_key(model, model.api_key_env)


def _no_key(model: ModelSettings, variable: str) -> ModelError:
    page = f" (get a key: {model.facts.key_page})" if model.facts.key_page else ""
    return ModelError(
        f"{model.adapter}: {variable} is not set",
        kind=ModelErrorKind.AUTH,
        transient=False,
        hint=f"export {variable}={model.facts.key_sample}{page}",
    )


def key_of(model: ModelSettings, env: Mapping[str, str]) -> str | None:
    """Return the key to use: the file's, else the environment's, else None."""
    variable = model.api_key_env or model.facts.key_env
    return model.api_key or (_said(env, variable) if variable else None)


def address(model: ModelSettings, env: Mapping[str, str]) -> str | None:
    """Return the API's address: the file's, OLLAMA_HOST for Ollama, the adapter's usual one, else None."""
    if model.base_url is not None:
        return model.base_url
    return _ollama_at(env) if model.facts.kind == "ollama" else model.facts.base_url


def price_of(model: ModelSettings, env: Mapping[str, str]) -> Quote:
    """Return what the model's calls cost; on this machine nothing, unless agent.toml has a price."""
    is_local = model.facts.kind == "ollama" or (
        model.facts.kind == "compatible" and _is_loopback(address(model, env) or "")
    )
    free = _LOCAL if is_local else _PEERS if model.facts.kind == "mesh" else None
    return quote(model.name, model.prices, free=free)


def detect(
    env: Mapping[str, str],
    *,
    has_sdk: Callable[[str], bool] = installed,
    models_at: Callable[[str], list[str] | None] | None = None,
) -> Detected:
    """Return the model to use where nobody named one: a key's, a local Ollama's, else the rules.

    Args:
        env: The environment.
        has_sdk: Says whether a package is installed.
        models_at: Gives the models of the Ollama at an address, or None where none answers; by default
            the address is asked, for 0.4 s at most.
    """
    skipped = ""
    for adapter in ("anthropic", "openai"):
        facts = ADAPTERS[adapter]
        if facts.key_env is None or _said(env, facts.key_env) is None:
            continue
        if has_sdk(adapter):
            return Detected(adapter, facts.model or "", f"{adapter}: {facts.key_env} is set")
        skipped += f"; {facts.key_env} is set but covey[{adapter}] is not installed"
    base_url = _ollama_at(env)
    names = (models_at or _ask_ollama)(base_url)
    if names:
        usual = ADAPTERS["ollama"].model
        name = usual if usual is not None and usual in names else names[0]
        return Detected("ollama", name, f"ollama: {name} at {base_url}", base_url)
    return Detected(
        "scripted", "rules", f"scripted rules: no model key and no Ollama with a model found{skipped}"
    )


def ollama_address(host: str) -> str:
    """Return the URL that OLLAMA_HOST means to a client: the scheme and port may be missing.

    Args:
        host: For example `127.0.0.1`, `box:1234`, `:8080`, `0.0.0.0`, `https://models.example`.
    """
    scheme, found, rest = host.strip().strip("\"'").partition("://")
    if not found:
        scheme, rest = "http", scheme
    netloc, _, path = rest.partition("/")
    if netloc.startswith("["):
        name, _, port = netloc.partition("]")
        name, port = f"{name}]", port.lstrip(":")
    elif netloc.count(":") > 1:
        name, port = f"[{netloc}]", ""
    else:
        name, _, port = netloc.partition(":")
    if name in ("", "0.0.0.0", "[::]"):  # a server's "everywhere" is this machine to a client
        name = "127.0.0.1"
    usual = {"https": "443", "http": "80"}.get(scheme) if found else None
    return f"{scheme}://{name}:{port or usual or _OLLAMA_PORT}/{path}".rstrip("/")


def _ollama_at(env: Mapping[str, str]) -> str:
    said = _said(env, "OLLAMA_HOST")
    return ollama_address(said) if said else ADAPTERS["ollama"].base_url or ""


def _ask_ollama(base_url: str) -> list[str] | None:
    from covey.models.ollama import models_at

    return models_at(base_url)


def _said(env: Mapping[str, str], variable: str) -> str | None:
    """Return a variable's value; an empty one says nothing."""
    return env.get(variable, "").strip() or None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
