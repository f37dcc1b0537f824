from covey.agent.setup import engine_options, guards, persona
from covey.settings import parse

ME, ANN = ("0190aaaa-0000-7000-8000-00000000000" + digit for digit in "12")
CONFIG = """
[identity]
name = "ann"
role = "reviewer"
[mesh]
room = "r"
[model]
adapter = "openai"
max_tokens_per_call = 300
timeout_seconds = 7.5
[prompt]
system = "Be brief."
[context]
k_lineage = 1
n_own = 2
n_room = 3
max_context_tokens = 4000
[routing]
response_routing = "auto"
[budget]
max_wakes_per_minute = 3
max_cost_usd_per_run = 0.5
"""


def test_the_persona_is_what_agent_toml_says_under_the_identitys_node_id():
    who = persona(parse(CONFIG), ME)
    assert (who.name, who.node_id, who.role, who.room) == ("ann", ME, "reviewer", "r")
    assert who.instructions == "Be brief."
    assert who.weights["issue"] == 2.5


def test_a_peer_without_a_role_is_known_by_its_name():
    text = (
        CONFIG.replace('role = "reviewer"', "")
        + "[role_weights]\n"
        + "".join(
            f"{name} = 1\n"
            for name in ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
        )
    )
    assert persona(parse(text), ME).role == "ann"


def test_engine_options_carry_every_setting_of_the_loop():
    options = engine_options(parse(CONFIG), ME)
    assert (options.context.k_lineage, options.context.n_own, options.context.n_room) == (1, 2, 3)
    assert options.context.max_tokens == 4000
    assert (options.routing, options.max_tokens, options.timeout_seconds) == ("auto", 300, 7.5)


def test_without_a_run_section_a_peer_stays():
    options = engine_options(parse(CONFIG), ME)
    assert options.participants == frozenset()
    assert options.max_calls is None and options.idle_seconds is None


def test_a_run_counts_the_peer_itself_among_its_participants():
    run = f'[run]\nparticipants = ["{ANN}"]\nmax_calls = 4\nidle_seconds = 30\n'
    options = engine_options(parse(CONFIG + run), ME)
    assert options.participants == {ME, ANN}
    assert options.max_calls == 4 and options.idle_seconds == 30.0


def test_guards_have_the_caps_of_agent_toml():
    class Now:
        wall_ms, monotonic = 0, 1.0

    status = guards(parse(CONFIG), ME, lambda _request: 0.0).status(Now)
    assert status["wake_caps"] == {"minute": 3, "hour": 100, "day": 1000}
    assert status["cost_caps"] == {"run": 0.5, "hour": 1.0, "day": 10.0}
    assert status["breaker"]["state"] == "closed"
