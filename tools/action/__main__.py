"""`python -m tools.action`: one review, from a step's environment to outputs, summary and comment."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.action import github, inputs, peer


def main(env: Mapping[str, str]) -> int:
    """Review; 0 done (also where the agent had nothing to say), 1 where it could not be done."""
    workspace = Path(env.get("GITHUB_WORKSPACE") or Path.cwd())
    try:
        asked = inputs.read(env, workspace)
        pull = github.pull_request(_file(env, "GITHUB_EVENT_PATH"))
        folder = peer.private_folder(Path(env["RUNNER_TEMP"]) / "covey")
        return _review(env, asked, pull, folder)
    except (inputs.InputError, github.GithubError) as error:
        _command("error", str(error))
        return 1


def _review(
    env: Mapping[str, str], asked: inputs.Inputs, pull: github.PullRequest | None, folder: Path
) -> int:
    hub = github.Github(
        env.get("GITHUB_API_URL") or "https://api.github.com",
        env.get("GITHUB_REPOSITORY", ""),
        asked.github_token,
    )
    config = asked.config or folder / "agent.toml"
    if asked.config is None:
        config.write_text(peer.configuration(asked), encoding="utf-8")
    covey = peer.Covey(folder / "home", env, asked.secrets)
    checked = covey.run("dry-run", "--config", str(config))
    with _quoted():
        sys.stdout.write(checked.stdout + checked.stderr)
    if checked.returncode != 0:
        raise inputs.InputError("covey dry-run found issues: they are listed above")
    outcome = peer.review(covey, config, _seed(asked, pull, hub), asked.duration_seconds)
    result = folder / "result.md"
    result.write_text(github.markdown(outcome.blocks, _facts(outcome)), encoding="utf-8")
    github.write_outputs(
        _file(env, "GITHUB_OUTPUT"),
        {
            "config-path": str(config),
            "cmbs-emitted": str(len(outcome.blocks)),
            "cost-usd": f"{outcome.cost_usd:.6f}",
            "result-path": str(result),
        },
    )
    summary = _file(env, "GITHUB_STEP_SUMMARY")
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(result.read_text(encoding="utf-8"))
    _tell(asked, pull, hub, outcome, result.read_text(encoding="utf-8"))
    return 0


def _seed(asked: inputs.Inputs, pull: github.PullRequest | None, hub: github.Github) -> Mapping[str, str]:
    """Return the block that the agent is woken with."""
    if asked.diff is not None:
        with asked.diff.open("rb") as file:
            diff = file.read(github.ANSWER_BYTES).decode("utf-8", "replace")
    elif pull is not None:
        diff = hub.diff(pull)
    else:
        raise inputs.InputError("there is no pull request: run on pull_request, or name a diff")
    what = "this change" if pull is None else f"pull request #{pull.number}: {pull.title}"
    return {
        "focus": f"review {what}",
        "issue": github.bounded(diff).replace("\0", " ") or "the diff is empty",
        "intent": "find what is wrong with the change before it is merged",
    }


def _tell(
    asked: inputs.Inputs,
    pull: github.PullRequest | None,
    hub: github.Github,
    outcome: peer.Outcome,
    body: str,
) -> None:
    """Post the answer, and say on the run's page what a person should know, in words of ours."""
    if not outcome.blocks:
        _command("warning", f"the agent emitted nothing: {github.plain(', '.join(outcome.reasons))[:200]}")
    elif pull is not None and asked.comment:
        try:
            hub.comment(pull, body)
        except github.GithubError as error:
            _command("warning", f"{error}: a comment needs `permissions: pull-requests: write`")


def _facts(outcome: peer.Outcome) -> str:
    count = len(outcome.blocks)
    return f"covey: {count} block{'' if count == 1 else 's'}, ${outcome.cost_usd:.6f}"


def _command(level: str, text: str) -> None:
    """Say a line on the run's page."""
    safe = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stdout.write(f"::{level} title=covey review::{safe}\n")


@contextmanager
def _quoted() -> Iterator[None]:
    """Keep the runner from reading commands in what is printed within."""
    word = secrets.token_hex(16)
    sys.stdout.write(f"::stop-commands::{word}\n")
    try:
        yield
    finally:
        sys.stdout.write(f"::{word}::\n")
        sys.stdout.flush()


def _file(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None


if __name__ == "__main__":
    sys.exit(main(os.environ))
