"""What curation keeps, and what it saves: `python -m benches.curation`.

A scripted reader is asked about facts. It reads what it is shown and nothing else, and answers where a shown
line has both the subject and the value. It reads everything, what is newest in the same budget, and what is
curated; the table says how many tokens each took and how many questions each could still answer.

The threads are made from the words below and their numbers. Each has blocks of eight subjects in one lineage;
the task names one of them. Facts stand in focus, issue and commitment; a part of them calls the subject by
another name, which shared words do not bridge: what is lost there is what a lexical measure loses.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from covey import _core
from covey.cognition.curation import curate
from covey.memory.lineage import ancestors
from covey.model import CAT7, Block

SUBJECTS = {
    "indexer": "search tree",
    "scheduler": "queue runner",
    "parser": "reader of frames",
    "cache": "kept pages",
    "billing": "invoices",
    "login": "sign-in form",
    "backup": "nightly copies",
    "router": "path finder",
}
"""What threads are about, and the other name that some facts use."""
FACTS = (
    "the {name} needs {value} ms for one batch",
    "the {name} fails once in {value} runs",
    "the limit of the {name} is {value} entries",
    "the {name} was changed in build {value}",
    "the owner of the {name} asks for {value} retries",
)
NOISE = {
    "intent": ("keep everybody informed of the work", "share what was seen this morning"),
    "motivation": ("the release is near and the team is small", "nobody wants another long weekend"),
    "perspective": ("developer at a desk, third hour", "operator on call, late evening"),
    "mood": ("focused", "a little tired", "curious"),
}
WEIGHTS = {**dict.fromkeys(CAT7, 0.8), "focus": 2.0, "issue": 2.0, "commitment": 1.5, "mood": 0.5}
"""A coding agent's (MMP 2.0 §12.4)."""
RENAMED = 0.15
"""The part of facts that call their subject by its other name."""


@dataclass(frozen=True, slots=True)
class Question:
    """A fact that is asked for: names of its subject, and the value that answers it."""

    names: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class Case:
    """One thread, what came in last, the task at hand, and what its reader should know."""

    incoming: Block
    held: dict[str, Block]
    task: str
    questions: tuple[Question, ...]


def case(number: int, blocks: int) -> Case:
    """Make one thread; the same number is the same thread."""
    pick = random.Random(f"curation {number}")
    subject = pick.choice(list(SUBJECTS))
    held: dict[str, Block] = {}
    questions: list[Question] = []
    keys: list[str] = []
    for place in range(blocks):
        about = pick.choice(list(SUBJECTS))
        said = {"focus": f"{about}: {pick.choice(('measured', 'reviewed', 'changed'))} again"}
        for category in pick.sample(("issue", "commitment", "focus"), 2):
            name = SUBJECTS[about] if pick.random() < RENAMED else about
            value = str(pick.randrange(1_000, 100_000))
            said[category] = pick.choice(FACTS).format(name=name, value=value)
            if about == subject:
                questions.append(Question((about, SUBJECTS[about]), value))
        said |= {category: pick.choice(texts) for category, texts in NOISE.items()}
        older = pick.sample(keys[-6:-1], min(len(keys[-6:-1]), pick.choice((0, 0, 1))))
        parents = (*keys[-1:], *older)
        keys.append(f"cmb-{number:04}{place:060}")
        held[keys[-1]] = _block(keys[-1], about, place, parents, said)
    said = {
        "focus": f"{subject}: it is slow since yesterday",
        "issue": f"somebody has to look at the {subject}",
    }
    incoming = _block(f"cmb-{number:04}{'f' * 60}", "reporter", blocks, tuple(keys[-2:]), said)
    task = f"find out why the {subject} is slow, and what limits it has"
    return Case(incoming, held, task, tuple(questions))


def _block(key: str, author: str, at: int, parents: tuple[str, ...], said: dict[str, str]) -> Block:
    texts = {name: said.get(name, "neutral") for name in CAT7}
    return Block(key, key, author, author, at, "r", None, parents, texts)


def answered(text: str, questions: Iterable[Question]) -> int:
    """Return how many questions the scripted reader can answer from a text."""
    lines = text.splitlines()
    return sum(
        any(each.value in line and any(name in line for name in each.names) for line in lines)
        for each in questions
    )


# --- ways of showing a thread ---------------------------------------------------------------------------


def shown(blocks: Iterable[Block]) -> str:
    """Return blocks with all they say, as curation writes them."""
    return "\n".join(
        line
        for block in blocks
        for line in (f"{block.key[:12]} {block.author}", *(f"  {n}: {t}" for n, t in block.said().items()))
    )


def tokens(text: str) -> int:
    """Return the estimated tokens of a text."""
    return -(-len(text.encode()) // 4)


def everything(thread: Case, _budget: int) -> str:
    """Show the whole subgraph."""
    walk = ancestors(thread.held.get, [thread.incoming], depth=100)
    return shown([thread.incoming, *(each.block for each in walk.ancestors)])


def newest(thread: Case, budget: int) -> str:
    """Show whole blocks, the newest first, while they fit."""
    kept: list[Block] = []
    for block in (thread.incoming, *sorted(thread.held.values(), key=lambda each: -each.created_ms)):
        if tokens(shown([*kept, block])) <= budget:
            kept.append(block)
    return shown(kept)


def curated(thread: Case, budget: int) -> str:
    """Show what curation chooses."""
    found = curate(
        thread.incoming,
        WEIGHTS,
        thread.task,
        budget,
        lookup=thread.held.get,
        encoder=ENCODER,
        depth=100,
    )
    return found.text()


ENCODER = _core.Encoder()
WAYS: dict[str, Callable[[Case, int], str]] = {
    "everything": everything,
    "newest, whole": newest,
    "curated": curated,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One way of showing threads: mean tokens, and the part of questions that could be answered."""

    way: str
    budget: int
    tokens: float
    answered: float


def measure(cases: Sequence[Case], budgets: Sequence[int]) -> list[Row]:
    """Show every thread in every way."""
    asked = sum(len(each.questions) for each in cases)
    rows = []
    for way, show in WAYS.items():
        for budget in budgets if way != "everything" else budgets[:1]:
            texts = [show(each, budget) for each in cases]
            right = sum(answered(text, each.questions) for text, each in zip(texts, cases, strict=True))
            spent = mean(tokens(text) for text in texts)
            rows.append(Row(way, 0 if way == "everything" else budget, spent, right / asked))
    return rows


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benches.curation")
    parser.add_argument("--threads", type=int, default=100)
    parser.add_argument("--blocks", type=int, default=40, help="of one thread")
    parser.add_argument("--budgets", type=int, nargs="+", default=[500, 250, 120])
    asked = parser.parse_args(words)
    cases = [case(number, asked.blocks) for number in range(asked.threads)]
    count = sum(len(each.questions) for each in cases)
    print(f"{len(cases)} threads of {asked.blocks} blocks, {count} questions")
    print(f"{'':16} {'budget':>7} {'tokens':>8} {'answered':>9}")
    for row in measure(cases, asked.budgets):
        budget = str(row.budget) if row.budget else "none"
        print(f"{row.way:16} {budget:>7} {row.tokens:>8,.0f} {row.answered:>9.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
