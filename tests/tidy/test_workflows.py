"""The GitHub Action and the workflows: well-formed, pinned, least privileged, closed to injection."""

import re
from typing import Any

import pytest
import yaml

from tests.tidy import tree

EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
STEP = re.compile(r"steps\.([\w-]+)\.outputs")
WORKFLOWS = sorted(name for name in tree.tracked() if name.startswith(".github/workflows/"))
MAY_WRITE = {"release.yml": {"contents"}}
"""Where a job may write, and what."""


class Loader(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a word, and no key stands twice."""


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"twice: {twice}")
    return {
        key: loader.construct_object(value, deep=True)
        for key, (_, value) in zip(keys, node.value, strict=True)
    }


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(body: str) -> dict[str, Any]:
    """Return a document; words such as `true` stay words."""
    found: dict[str, Any] = yaml.load(body, Loader)
    return found


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every step of an action or a workflow."""
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job.get("steps", [])]


def complaints(document: dict[str, Any], *, action: bool = False) -> list[str]:
    """Return what is wrong with the steps: expressions in scripts, unpinned uses, forgotten shells."""
    found = []
    for place, step in enumerate(steps(document), 1):
        name = step.get("name") or step.get("uses") or f"step {place}"
        if ("run" in step) == ("uses" in step):
            found.append(f"{name}: either run or uses")
        if EXPRESSION.search(step.get("run", "")):
            found.append(f"{name}: an expression in a script; pass it by env")
        if "uses" in step and not step["uses"].startswith("./") and PINNED.fullmatch(step["uses"]) is None:
            found.append(f"{name}: not pinned to a commit: {step['uses']}")
        if action and "run" in step and "shell" not in step:
            found.append(f"{name}: a composite step says its shell")
        if step.get("uses", "").startswith("actions/checkout@") and (
            step.get("with", {}).get("persist-credentials") != "false"
        ):
            found.append(f"{name}: leaves its token in the checkout")
    return found


def unknown_steps(document: dict[str, Any]) -> set[str]:
    """Return ids that expressions name and no step has."""
    scopes = [document] if "runs" in document else [{"jobs": {"x": job}} for job in document["jobs"].values()]
    found: set[str] = set()
    for scope in scopes:
        ids = {step["id"] for step in steps(scope) if "id" in step}
        found |= set(STEP.findall(yaml.safe_dump(scope))) - ids
    return found


def rights(name: str, document: dict[str, Any]) -> list[str]:
    """Return what a workflow may do beyond reading, where it is not known to need it."""
    if "permissions" not in document:
        return ["no permissions said: the default may be everything"]
    tables = [document["permissions"], *(job.get("permissions", {}) for job in document["jobs"].values())]
    allowed = MAY_WRITE.get(name.rpartition("/")[2], set())
    given = {
        right for table in tables if table != "{}" for right, word in dict(table).items() if word == "write"
    }
    return [f"may write {right}" for right in sorted(given - allowed)]


def needs(document: dict[str, Any]) -> set[str]:
    """Return jobs that others wait for and that are not there."""
    jobs = document["jobs"]
    wanted = {need for job in jobs.values() for need in _listed(job.get("needs", []))}
    return wanted - set(jobs)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


ACTION = load(tree.text("action.yml"))


def test_the_action_is_well_formed() -> None:
    assert complaints(ACTION, action=True) == []
    assert unknown_steps(ACTION) == set()
    assert ACTION["runs"]["using"] == "composite"
    for part in ("inputs", "outputs"):
        assert all(entry["description"] for entry in ACTION[part].values())


def test_x27_every_input_of_the_action_travels_by_the_environment_and_is_read() -> None:
    values = [text for step in steps(ACTION) for text in step.get("env", {}).values()]
    for name in ACTION["inputs"]:
        assert "${{ inputs." + name + " }}" in values, name
    body = tree.text("tools/action/inputs.py") + tree.text("tools/action/install.sh")
    for step in steps(ACTION):
        for variable in step.get("env", {}):
            if variable.startswith("COVEY_INPUT_"):
                assert f'"{variable.removeprefix("COVEY_INPUT_")}"' in body or variable[12:] in body, variable


def test_what_the_page_says_of_the_action_is_what_it_takes() -> None:
    page = tree.text("docs/github-action.md")
    for part in ("inputs", "outputs"):
        for name in ACTION[part]:
            assert f"| `{name}`" in page, name


def test_there_are_workflows() -> None:
    assert {name.rpartition("/")[2] for name in WORKFLOWS} >= {"ci.yml", "release.yml"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_well_formed(name: str) -> None:
    document = load(tree.text(name))
    assert complaints(document) == []
    assert unknown_steps(document) == set()
    assert rights(name, document) == []
    assert needs(document) == set()
    for job, body in document["jobs"].items():
        assert "timeout-minutes" in body, f"{job} may hang for six hours"
    assert "pull_request_target" not in document["on"], "it would give strangers' code our secrets"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_calls_is_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", tree.text("Makefile"), re.MULTILINE))
    for step in steps(load(tree.text(name))):
        script = step.get("run", "")
        assert set(re.findall(r"\bmake ([a-z-]+)", script)) <= targets, script
        for path in re.findall(r"(?:^|\s)((?:\.ci|tools)/[\w./-]+)", script):
            assert (tree.ROOT / path).is_file(), path


def test_the_matrix_covers_the_pythons_that_the_package_names() -> None:
    matrix = load(tree.text(".github/workflows/ci.yml"))["jobs"]["rehearse"]["strategy"]["matrix"]
    assert matrix["python"][0] == "3.11"
    assert [int(each.split(".")[1]) for each in matrix["python"]] == list(
        range(11, 11 + len(matrix["python"]))
    )
    assert {each.split("-")[0] for each in matrix["os"]} == {"ubuntu", "macos"}


def test_a_release_builds_a_free_threaded_wheel_wherever_it_rehearses_one() -> None:
    jobs = load(tree.text(".github/workflows/release.yml"))["jobs"]
    rehearsed = jobs["rehearse"]["strategy"]["matrix"]
    built = jobs["wheels"]["strategy"]["matrix"]["include"]
    free = {each for each in rehearsed["python"] if each.endswith("t")}
    assert free == {"3.14t"}
    where = {each["os"] for each in built if not each["triples"] or "python3.14t" in each["triples"].split()}
    assert where == set(rehearsed["os"]), "no abi3 wheel fits it, and the rehearsal would find none"


def test_each_workflow_check_can_fail() -> None:
    pin = "a" * 40
    bad = load(
        f"""
on: push
jobs:
  one:
    needs: [two]
    permissions: {{issues: write}}
    steps:
      - run: echo ${{{{ github.event.pull_request.title }}}}
      - uses: actions/checkout@v4
      - uses: actions/checkout@{pin}
        with: {{persist-credentials: true}}
      - name: both
        run: a
        uses: a/b@{pin}
      - run: echo ok
        env: {{X: "${{{{ steps.none.outputs.x }}}}"}}
"""
    )
    said = "\n".join(complaints(bad, action=True))
    for word in (
        "an expression in a script",
        "not pinned",
        "leaves its token",
        "either run or uses",
        "its shell",
    ):
        assert word in said
    assert unknown_steps(bad) == {"none"}
    assert needs(bad) == {"two"}
    assert rights("ci.yml", bad) == ["no permissions said: the default may be everything"]
    assert rights("ci.yml", {**bad, "permissions": {"contents": "read"}}) == ["may write issues"]
    assert bad["on"] == "push"
    with pytest.raises(yaml.YAMLError, match="twice"):
        load("a: 1\na: 2\n")
