"""Tools for an agent: two Python functions over a small catalogue.

The agent beside it, `agent.toml`, names them under [tools.python.books].
Run it: python examples/librarian/books.py
prints what a model is told of them.
"""

from typing import Annotated, Literal

from covey.tools import tool

CATALOGUE = {
    "The Life of the Bee": "Maurice Maeterlinck",
    "The Dancing Bees": "Karl von Frisch",
    "Walden": "Henry David Thoreau",
}


@tool
def find(
    word: Annotated[str, "a word of the title or of the author's name"], most: int = 5
) -> list[dict[str, str]]:
    """Look books up in the catalogue."""
    found = [
        (title, author) for title, author in CATALOGUE.items() if word.lower() in f"{title} {author}".lower()
    ]
    return [{"title": title, "author": author} for title, author in found[:most]]


@tool
def lend(title: str, weeks: Literal[1, 2, 4] = 2) -> str:
    """Lend a book out.

    Args:
        title: As the catalogue has it.
        weeks: For how long.
    """
    if title not in CATALOGUE:
        raise ValueError(f"no such book: {title}")
    return f"{title} is lent for {weeks} weeks"


if __name__ == "__main__":
    import json

    from covey.tools.function import found_in

    for name, each in found_in(globals()).items():
        print(f"{name}: {each.description} {json.dumps(each.schema)}")
