"""agent.toml: what is read, what is refused, and whether each refusal names file, line, key and next step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from covey import settings
from covey.errors import ConfigError, Problem
from covey.settings import MeshSettings

MINIMAL = """\
[identity]
name = "writer-01"

[role_weights]
focus = 2
issue = 1.0
intent = 2.5
motivation = 1.5
commitment = 1
perspective = 0.5
mood = 0.6

[model]
adapter = "openai"
"""


def refused(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        settings.parse(text, file="agent.toml")
    return caught.value.problems


def only(text: str) -> Problem:
    problems = refused(text)
    assert len(problems) == 1, problems
    return problems[0]


def with_section(text: str) -> str:
    return f"{MINIMAL}\n{text}\n"


def test_a_minimal_file_gets_every_documented_default() -> None:
    read = settings.parse(MINIMAL)
    assert (read.identity.name, read.identity.role) == ("writer-01", "writer-01")
    assert (read.mesh.room, read.mesh.lan, read.mesh.listen, read.mesh.peers) == ("default", False, 0, ())
    assert read.role_weights.as_tuple() == (2.0, 1.0, 2.5, 1.5, 1.0, 0.5, 0.6)
    assert read.role_weights.high() == {"focus": 2.0, "intent": 2.5, "motivation": 1.5}
    assert (read.model.name, read.model.max_tokens_per_call, read.model.timeout) == (
        "gpt-6-luna",
        1024,
        60.0,
    )
    assert (read.context.k_lineage, read.context.n_own, read.context.n_room) == (3, 5, 10)
    assert read.context.max_context_tokens == 8000
    budget = read.budget
    assert (budget.max_wakes_per_minute, budget.max_wakes_per_hour, budget.max_wakes_per_day) == (
        10,
        100,
        1000,
    )
    assert (budget.max_cost_usd_per_hour, budget.max_cost_usd_per_day, budget.max_cost_usd_per_run) == (
        1,
        10,
        5,
    )
    assert (read.safety.cycle_depth, read.safety.approval_gates) == (5, "default")
    assert (read.routing.response_routing, read.attach.mode, read.logging.level) == (
        "broadcast",
        "headless",
        "info",
    )
    assert (read.logging.file_path, read.logging.max_file_size, read.logging.keep) == (None, 5_242_880, 5)
    assert read.trust.strangers_may_wake is False


@pytest.mark.parametrize(
    ("adapter", "more", "model"),
    [
        ("anthropic", "", "claude-haiku-5-5"),
        ("ollama", "", "llama3.2:3b"),
        ("mistral", "", "mistral-small-latest"),
        ("compatible", 'base_url = "http://127.0.0.1:8000/v1/"\nmodel_name = "qwen"', "qwen"),
    ],
)
def test_each_adapter_has_its_own_default_model(adapter: str, more: str, model: str) -> None:
    read = settings.parse(MINIMAL.replace('"openai"', f'"{adapter}"\n{more}'))
    assert read.model.name == model
    assert not (read.model.base_url or "").endswith("/")


def test_mistral_is_an_alias_of_compatible_with_its_own_address_and_key() -> None:
    facts = settings.ADAPTERS["mistral"]
    assert (facts.kind, facts.base_url) == ("compatible", "https://api.mistral.ai/v1")
    assert facts.key_env == "MISTRAL_API_KEY"


def test_compatible_asks_for_what_nobody_can_guess() -> None:
    problems = refused(MINIMAL.replace('"openai"', '"compatible"'))
    assert [problem.key for problem in problems] == ["model.base_url", "model.model_name"]
    assert {problem.line for problem in problems} == {13}, "the section stands in for a key that is not there"


@pytest.mark.parametrize(
    ("section", "key", "line", "expected", "hint"),
    [
        ('[mesh]\ngroop = "x"', "mesh.groop", 17, "room, lan", "did you mean"),
        ("[budgt]", "budgt", 16, "identity", "did you mean [budget]?"),
        ('[mesh]\nroom = "Not OK"', "mesh.room", 17, "lower-case", None),
        ("[mesh]\nlisten = 70000", "mesh.listen", 17, "0 to 65535", None),
        ("[mesh]\nlan = 1", "mesh.lan", 17, "true or false", None),
        ('[mesh]\npeers = ["a:1",\n "b"]', "mesh.peers[1]", 18, "host:port", None),
        ('[mesh]\nprofile = "old"', "mesh.profile", 17, "core-secure, legacy", None),
        (
            '[mesh]\nprofile = "legacy"\nroom = "den"\n'
            'room_owner = "IVL40Zt5HSRFMkLhXy6rbLfP-ntqXtMAl5YOBpiB2xI"',
            "mesh.profile",
            17,
            "that has an owner",
            "no grant",
        ),
        ('[mesh]\ninterfaces = ["eth0"]', "mesh.interfaces", 17, "lan = true", "set lan"),
        ('[mesh]\nstock_peers = ["a:1"]', "mesh.stock_peers", 17, 'profile = "legacy"', "set profile"),
        ("[safety]\ncycle_depth = 0", "safety.cycle_depth", 17, "1 to 64", None),
        ('[safety]\napproval_gates = "none of it"', "safety.approval_gates", 17, "default, none", None),
        ('[safety]\ngate_patterns = ["("]', "safety.gate_patterns[0]", 17, "regular expression", None),
        ("[budget]\nmax_cost_usd_per_run = -0.6", "budget.max_cost_usd_per_run", 17, "0 to", None),
        ("[budget]\nmax_cost_usd_per_run = nan", "budget.max_cost_usd_per_run", 17, "a number", None),
        ('[attach]\nmode = "cursor"', "attach.mode", 17, "headless", None),
        ('[trust]\ntrusted = ["bob"]', "trust.trusted[0]", 17, "fingerprint", None),
        ('[logging]\nlevel = "warning"', "logging.level", 17, "error, warn", "'warn'"),
        ('[context]\nk_lineage = "3"', "context.k_lineage", 17, "an integer", None),
        ("[model.prices]\nx = { input = 1 }", "model.prices.x.output", 17, "USD", None),
    ],
)
def test_a_wrong_key_is_named_with_its_line_and_what_was_expected(
    section: str, key: str, line: int, expected: str, hint: str | None
) -> None:
    problem = only(with_section(section))
    assert (problem.file, problem.key, problem.line) == ("agent.toml", key, line)
    assert expected in problem.expected
    if hint is not None:
        assert hint in (problem.hint or "")


def test_a_key_in_the_wrong_place_is_sent_home() -> None:
    problem = only('room = "x"\n' + MINIMAL)
    assert problem.hint == "`room` belongs in [mesh]"
    assert problem.line == 1


def test_several_problems_are_reported_together_in_the_order_of_the_file() -> None:
    text = MINIMAL.replace("mood = 0.6", "moood = 0.6").replace('"openai"', '"opena"') + '[mesh]\nroom = ""\n'
    keys = [problem.key for problem in refused(text)]
    assert keys == ["role_weights.mood", "role_weights.moood", "model.adapter", "mesh.room"]


def test_a_flood_of_problems_is_cut_and_says_so() -> None:
    problems = refused(MINIMAL + "[mesh]\n" + "\n".join(f"wrong{n} = 1" for n in range(50)))
    assert len(problems) == 21
    assert problems[-1].found == "30 more that are not shown"


def test_missing_sections_and_names() -> None:
    assert {problem.key for problem in refused("")} == {"identity", "role_weights", "model"}
    problem = only(MINIMAL.replace('name = "writer-01"', 'role = "writer"'))
    assert (problem.key, problem.line) == ("identity.name", 1)
    assert only(MINIMAL.replace('name = "writer-01"', 'name = "../x"')).key == "identity.name"
    assert only("identity = 3\n" + MINIMAL.split("\n\n", 1)[1]).expected == "a table"


def test_room_is_the_term_and_group_its_older_name() -> None:
    assert settings.parse(with_section('[mesh]\ngroup = "red"')).mesh.room == "red"
    assert settings.parse(with_section('[mesh]\ngroup = "red"\nroom = "red"')).mesh.room == "red"
    problem = only(with_section('[mesh]\nroom = "red"\ngroup = "blue"'))
    assert (problem.key, problem.line) == ("mesh.group", 18)
    assert "keep `room`" in (problem.hint or "")
    assert settings.parse(with_section("[context]\nn_group = 4")).context.n_room == 4
    wrong = only(with_section("[context]\nn_own = 1\nn_group = -4"))
    assert (wrong.key, wrong.line) == ("context.n_group", 18), "a problem is named as it is written"


def test_relays_are_one_or_several_and_encrypted_beyond_this_machine() -> None:
    def mesh(text: str) -> MeshSettings:
        return settings.parse(with_section(f"[mesh]\n{text}")).mesh

    assert mesh('relay = "wss://relay.example/"').relay == ("wss://relay.example",)
    assert mesh('relay = ["wss://a.example:8443", "ws://127.0.0.1:1", "ws://[::1]:1"]').relay[1:] == (
        "ws://127.0.0.1:1",
        "ws://[::1]:1",
    )
    assert "t-secret" not in repr(mesh('relay_token = "t-secret"'))
    for wrong in ('"ws://relay.example"', '["wss://a.example", "ws://10.0.0.1"]'):
        assert "relay_plain = true" in (only(with_section(f"[mesh]\nrelay = {wrong}")).hint or "")
        assert mesh(f"relay = {wrong}\nrelay_plain = true").relay
    assert mesh('relay_proxy = "http://u:p-secret@proxy.example:3128/"').relay_proxy == (
        "http://u:p-secret@proxy.example:3128"
    )
    assert "p-secret" not in repr(mesh('relay_proxy = "http://u:p-secret@proxy.example"'))
    for wrong in (
        "socks5://a",
        "http://",
        "http://u@a",
        "http://a/b",
        "http://a?b",
        "http://a:0",
        "http:// a",
    ):
        assert "u@a" not in str(only(with_section(f'[mesh]\nrelay_proxy = "{wrong}"')))
    for wrong in ('"https://a.example"', '"wss://"', '"wss://u:p@a.example"', '["wss://a", "wss://a"]'):
        only(with_section(f"[mesh]\nrelay = {wrong}"))


def test_a_well_known_role_brings_its_weights_and_the_file_may_change_them() -> None:
    text = '[identity]\nname = "r1"\nrole = "Reviewer"\n[model]\nadapter = "ollama"\n'
    assert settings.parse(text).role_weights.as_tuple() == (1.0, 2.5, 1.2, 0.8, 2.0, 0.5, 0.6)
    assert settings.parse(text + "[role_weights]\nmood = 2").role_weights.mood == 2.0
    assert only(text.replace("Reviewer", "pirate")).key == "role_weights"
    weights = settings.parse(text + "[role_weights]\nissue = 1").role_weights.as_dict()
    assert settings.too_light("reviewer", weights) == ("issue",)
    assert settings.too_light("pirate", weights) is None


def test_a_secret_is_in_no_message_and_in_no_repr() -> None:
    problem = only(MINIMAL + 'api_key = "sk-proj-very secret"')
    assert "very" not in str(problem)
    read = settings.parse(MINIMAL + 'api_key = "sk-proj-quiet"')
    assert read.model.api_key == "sk-proj-quiet"
    assert "quiet" not in repr(read)
    both = only(MINIMAL + 'api_key = "sk-1"\napi_key_env = "MY_KEY"')
    assert (both.key, both.line) == ("model.api_key_env", 16)


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("https://[::1]:8000", True),
        ("127.0.0.1:8000", False),
        ("ftp://x/", False),
        ("http://", False),
        ("http://u:p@x/", False),
        ("http://x/?a=1", False),
        ("http://x:99999/", False),
        ("http://x y/", False),
    ],
)
def test_a_base_url_is_http_and_carries_no_secret(url: str, usable: bool) -> None:
    text = MINIMAL + f'base_url = "{url}"'
    if usable:
        assert settings.parse(text).model.base_url == url
    else:
        assert only(text).key == "model.base_url"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:7000", "127.0.0.1", 7000),
        ("[::1]:7000", "::1", 7000),
        ("edge-box.local:1", "edge-box.local", 1),
    ],
)
def test_static_addresses(text: str, host: str, port: int) -> None:
    read = settings.parse(with_section(f'[mesh]\npeers = ["{text}"]')).mesh.peers
    assert read == (settings.StaticPeer(host, port),)
    assert str(read[0]) == text


@pytest.mark.parametrize("place", ["10.0.0.2:7000", "[fe80::1%eth0]:7000", "edge-box.local:1"])
def test_a_static_address_may_name_the_one_key_that_answers_there(place: str) -> None:
    read = settings.parse(with_section(f'[mesh]\npeers = ["{place}#{"AB" * 32}"]')).mesh.peers[0]
    assert (str(read), read.fingerprint) == (f"{place}#{'ab' * 32}", "ab" * 32)


def test_a_stock_peer_proves_no_key_so_none_can_be_named() -> None:
    text = f'[mesh]\nprofile = "legacy"\nstock_peers = ["host:1#{"ab" * 32}"]'
    assert only(with_section(text)).key == "mesh.stock_peers[0]"


@pytest.mark.parametrize(
    "text",
    ["host", "host:", "host:0", "host:65536", ":7", "::1:7", "[x]:7", "a b:7", "h:٣", "h:7#", "h:7#ab", "#"],
)
def test_static_addresses_that_are_none(text: str) -> None:
    assert only(with_section(f'[mesh]\npeers = ["{text}"]')).key == "mesh.peers[0]"


def test_trust_takes_node_ids_and_fingerprints() -> None:
    node_id, fingerprint = "0198f3a1-0000-7000-8000-000000000001", "AB" * 32
    read = settings.parse(with_section(f'[trust]\ntrusted = ["{node_id}"]\ninvited = ["{fingerprint}"]'))
    assert (read.trust.trusted, read.trust.invited) == ((node_id,), (fingerprint.lower(),))


@pytest.mark.parametrize("text", ["[identity\n", 'a = "x', "a = 1\na = 2", "\x00", "a = " + "[" * 5000])
def test_broken_toml_names_a_line(text: str) -> None:
    problem = only(text)
    assert problem.expected in ("valid TOML", "TOML")
    assert problem.line is not None or problem.expected == "TOML"


def test_the_syntax_error_names_the_line_it_is_on() -> None:
    assert only('[identity]\nname = "x"\nrole = \n').line == 3


@pytest.mark.parametrize("number", ["1" * 5000, "0x" + "f" * 5000, "1e999", "-1e999", "0x" + "f" * 300])
def test_a_monstrous_number_is_a_problem_like_any_other(number: str) -> None:
    for section in ("[budget]\nmax_cost_usd_per_run", "[mesh]\nlisten"):
        assert "\n" not in str(only(with_section(f"{section} = {number}")))


def test_a_key_cannot_write_on_the_terminal() -> None:
    problem = only(with_section('[mesh]\n"a\\u001b[2J.b" = 1'))
    assert problem.key == 'mesh."a\\u001b[2J.b"'
    assert problem.line == 17


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as caught:
        settings.load(missing)
    assert (caught.value.file, caught.value.key) == (str(missing), "<file>")
    assert "covey init" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="readable file"):
        settings.load(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        settings.load(binary)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 1_048_577)
    with pytest.raises(ConfigError, match="at most 1048576 bytes"):
        settings.load(large)


def test_paths_start_at_the_file_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = tmp_path / "agent.toml"
    (tmp_path / "prompt.md").write_text("You write.\n", encoding="utf-8")
    config.write_text(
        with_section('[prompt]\nfile = "prompt.md"\n[logging]\nfile_path = "~/x.log"'), encoding="utf-8"
    )
    read = settings.load(config)
    assert read.prompt.system == "You write."
    assert read.logging.file_path == tmp_path / "home" / "x.log"


def test_x20_a_prompt_comes_from_one_place_and_says_something(tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text(" \n", encoding="utf-8")
    config = tmp_path / "agent.toml"

    def complaint(section: str) -> Problem:
        config.write_text(with_section(section), encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            settings.load(config)
        (problem,) = caught.value.problems
        assert (problem.key, problem.line, problem.file) == ("prompt.file", 17, str(config))
        return problem

    assert complaint('[prompt]\nfile = "none.md"').expected == "a file that exists"
    assert complaint('[prompt]\nfile = "empty.md"').found == "an empty one"
    assert complaint(f'[prompt]\nfile = "{tmp_path}/empty.md"\nsystem = "x"').found == "both"
    assert settings.parse(with_section('[prompt]\ntext = "You write."')).prompt.system == "You write."


def test_data_of_a_program_is_checked_like_a_file() -> None:
    data: dict[str, Any] = {"identity": {"name": "w", "role": "writer"}, "model": {"adapter": "openai"}}
    assert settings.from_mapping(data).role_weights.intent == 2.5
    with pytest.raises(ConfigError) as caught:
        settings.from_mapping({**data, "mesh": {"roum": "x"}}, file="demo")
    assert caught.value.problems[0].line is None
    assert str(caught.value).startswith("demo: mesh.roum: expected one of")


def test_the_error_speaks_to_people_and_to_programs() -> None:
    with pytest.raises(ConfigError) as caught:
        settings.parse(with_section("[mesh]\nlan = 1"))
    error = caught.value
    assert error.lines()[0] == "agent.toml:17: mesh.lan: expected true or false, got integer"
    assert error.lines()[-1].startswith("  hint: ")
    said = error.as_dict()
    assert said["code"] == "config"
    assert said["problems"] == [
        {
            "file": "agent.toml",
            "line": 17,
            "key": "mesh.lan",
            "expected": "true or false",
            "found": "integer",
            "hint": None,
        }
    ]
    assert error.exit_code == 1


def test_an_open_peer_stays_on_this_machine_unless_it_is_said_twice() -> None:
    problem = only(with_section('[mesh]\nlan = true\n\n[trust]\nmode = "open"'))
    assert (problem.key, problem.line) == ("trust.mode", 20)
    assert "strangers_may_wake" in str(problem)
    said = settings.parse(
        with_section('[mesh]\nlan = true\n\n[trust]\nmode = "open"\nstrangers_may_wake = true')
    )
    assert said.trust.mode == "open"
    assert settings.parse(with_section('[trust]\nmode = "open"')).trust.mode == "open"
    assert settings.parse(MINIMAL).trust.mode == "tofu"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_metrics_are_served_at_an_address_of_this_machine(text: str, read: tuple[str, int]) -> None:
    listen = settings.parse(with_section(f'[metrics]\nlisten = "{text}"')).metrics.listen
    assert listen is not None and (listen.host, listen.port) == read


@pytest.mark.parametrize(
    "text", ["9464", "127.0.0.1", "::1:9464", "[127.0.0.1]:1", "example.org:80", "0.0.0.0:65536"]
)
def test_what_is_no_address_to_listen_on_is_refused(text: str) -> None:
    assert only(with_section(f'[metrics]\nlisten = "{text}"')).key == "metrics.listen"
