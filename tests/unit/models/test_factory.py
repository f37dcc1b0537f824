"""Building the named model, saying what is missing, and finding one where none is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from covey import settings
from covey.errors import ModelError, ModelErrorKind
from covey.models import build, check, detect, factory, sdk
from covey.models.anthropic import AnthropicModel
from covey.models.compatible import CompatibleModel
from covey.models.factory import ollama_address
from covey.models.ollama import OllamaModel
from covey.models.openai import OpenAIModel
from covey.models.scripted import ScriptedModel


def configured(adapter: str, **model: Any) -> settings.Settings:
    data: dict[str, Any] = {
        "identity": {"name": "w", "role": "writer"},
        "model": {"adapter": adapter, **model},
    }
    if adapter == "scripted":
        data["scripted"] = {"rules": [{"emit": {"focus": "x"}}]}
    return settings.from_mapping(data)


@pytest.mark.parametrize(
    ("adapter", "more", "env", "cls", "label", "free"),
    [
        ("anthropic", {}, {"ANTHROPIC_API_KEY": "k"}, AnthropicModel, "anthropic/claude-haiku-5-5", False),
        ("openai", {}, {"OPENAI_API_KEY": "k"}, OpenAIModel, "openai/gpt-6-luna", False),
        ("openai", {"api_key": "k"}, {}, OpenAIModel, "openai/gpt-6-luna", False),
        ("openai", {"api_key_env": "MINE"}, {"MINE": "k"}, OpenAIModel, "openai/gpt-6-luna", False),
        ("openai", {"base_url": "http://127.0.0.1:1/v1"}, {}, OpenAIModel, "openai/gpt-6-luna", False),
        ("mistral", {}, {"MISTRAL_API_KEY": "k"}, CompatibleModel, "mistral/mistral-small-latest", False),
        ("ollama", {}, {}, OllamaModel, "ollama/llama3.2:3b", True),
        (
            "compatible",
            {"base_url": "http://localhost:8000/v1", "model_name": "qwen"},
            {},
            CompatibleModel,
            "compatible/qwen",
            True,
        ),
        ("scripted", {}, {}, ScriptedModel, "scripted/rules", True),
    ],
)
def test_each_adapter_is_built(
    adapter: str, more: Mapping[str, Any], env: Mapping[str, str], cls: type, label: str, free: bool
) -> None:
    model = build(configured(adapter, **more), env)
    assert isinstance(model, cls)
    assert model.label == label
    assert model.quote.known
    assert (model.quote.usage(1000, 1000).cost_usd == 0) is free


@pytest.mark.parametrize(
    ("adapter", "more", "variable", "hint"),
    [
        (
            "anthropic",
            {},
            "ANTHROPIC_API_KEY",
            "export ANTHROPIC_API_KEY=sk-ant-... (get a key: https://console",
        ),
        ("openai", {}, "OPENAI_API_KEY", "export OPENAI_API_KEY=sk-proj-..."),
        ("mistral", {}, "MISTRAL_API_KEY", "https://console.mistral.ai/api-keys"),
        ("openai", {"api_key_env": "MINE"}, "MINE", "export MINE="),
    ],
)
def test_a_missing_key_is_named_with_the_way_to_one(
    adapter: str, more: Mapping[str, Any], variable: str, hint: str
) -> None:
    for env in ({}, {variable: "  "}):
        with pytest.raises(ModelError) as caught:
            build(configured(adapter, **more), env)
        assert caught.value.message == f"{adapter}: {variable} is not set"
        assert hint in (caught.value.hint or "")
        assert (caught.value.kind, caught.value.transient) == (ModelErrorKind.AUTH, False)


def test_a_missing_sdk_is_named_with_the_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "installed", lambda package: package != "openai")
    for adapter in ("openai", "mistral"):
        with pytest.raises(ModelError) as caught:
            check(configured(adapter).model, {"OPENAI_API_KEY": "k", "MISTRAL_API_KEY": "k"})
        assert caught.value.kind is ModelErrorKind.UNAVAILABLE
        assert caught.value.hint == "pip install 'covey[openai]'"
    assert check(configured("ollama").model, {}).startswith(
        "ollama llama3.2:3b baseUrl=http://127.0.0.1:11434"
    )
    assert not sdk.installed("covey_no_such_package")


def test_what_dry_run_shows() -> None:
    assert (
        check(configured("anthropic").model, {"ANTHROPIC_API_KEY": "k"})
        == "anthropic claude-haiku-5-5 (key present)"
    )
    url = "http://127.0.0.1:1/v1"
    local = configured("compatible", base_url=url, model_name="q").model
    assert check(local, {}) == f"compatible q at {url} (no key)"
    assert check(configured("scripted").model, {}) == "scripted rules"
    shown = check(configured("ollama").model, {"OLLAMA_HOST": "box:99"})
    assert "curl http://box:99/api/tags" in shown


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("box:1234", "http://box:1234"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:9", "http://[::1]:9"),
        ("::1", "http://[::1]:11434"),
        ("[::]", "http://127.0.0.1:11434"),
        ("http://box", "http://box:80"),
        ("https://models.example", "https://models.example:443"),
        ("https://models.example:8443/ollama/", "https://models.example:8443/ollama"),
        (" 'box' ", "http://box:11434"),
    ],
)
def test_ollama_host_means_what_it_means_to_ollama(host: str, url: str) -> None:
    assert ollama_address(host) == url


def test_detection_takes_the_first_that_is_really_there() -> None:
    def here(_: str) -> list[str]:
        return ["tiny", "llama3.2:3b"]

    def other(_: str) -> list[str]:
        return ["tiny"]

    def nobody(_: str) -> None:
        return None

    both = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"}
    found = detect(both, has_sdk=lambda _: True, models_at=nobody)
    assert (found.adapter, found.reason) == ("anthropic", "anthropic: ANTHROPIC_API_KEY is set")
    assert detect(both, has_sdk=lambda package: package == "openai", models_at=nobody).adapter == "openai"
    assert detect({"OPENAI_API_KEY": "o"}, has_sdk=lambda _: True, models_at=here).adapter == "openai"
    found = detect({"OLLAMA_HOST": "box"}, models_at=here)
    assert (found.adapter, found.model_name, found.base_url) == ("ollama", "llama3.2:3b", "http://box:11434")
    assert detect({"OPENAI_API_KEY": ""}, models_at=other).model_name == "tiny"
    found = detect(both, has_sdk=lambda _: False, models_at=nobody)
    assert found.adapter == "scripted"
    assert "covey[anthropic] is not installed" in found.reason
    assert "\n" not in found.reason
    assert detect({}, models_at=lambda _: []).adapter == "scripted", "an Ollama without a model is none"


def test_importing_the_models_imports_no_sdk() -> None:
    """Start-up matters on small machines: an SDK is loaded when it is used."""
    code = (
        "import sys; before = set(sys.modules);"
        "import covey.models, covey.models.anthropic, covey.models.openai, covey.models.compatible,"
        "covey.models.ollama, covey.models.scripted, covey.safety, covey.settings;"
        "from covey import settings;"
        "who = {'name': 'w', 'role': 'writer'};"
        "s = settings.from_mapping({'identity': who, 'model': {'adapter': 'anthropic'}});"
        "covey.models.build(s, {'ANTHROPIC_API_KEY': 'k'});"
        "heavy = {'anthropic', 'openai', 'httpx', 'httpx2', 'pydantic', 'rich', 'zeroconf', 'uvloop'};"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_local_model_keeps_room_for_what_its_tools_return() -> None:
    text = '[identity]\nname = "a"\nrole = "writer"\n[model]\nadapter = "ollama"\n'
    tools = '[tools]\nmax_calls_per_wake = 2\nmax_result_bytes = 4_000\n[tools.python.t]\nfile = "t.py"\n'
    sizes = [build(settings.parse(text + more), {})._window for more in ("", tools)]  # type: ignore[attr-defined]  # what Ollama is asked for
    assert sizes == [10_240, 14_336]
