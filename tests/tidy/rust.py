"""A reader of Rust source, just good enough for tidy checks: comments and literals out, braces matched."""

import re

_LITERAL_OR_COMMENT = re.compile(
    r"""
      //[^\n]*                                   # line comment, doc comments included
    | /\*.*?\*/                                  # block comment (nesting is not used here)
    | b?r(?P<hashes>\#*)".*?"(?P=hashes)         # raw string
    | b?c?"(?:\\.|[^"\\])*"                      # string
      # a character; a lifetime has no closing quote
    | b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F_]+\}|.)|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)
_FUNCTION = re.compile(r"\bfn\s+(\w+)")
_TEST_ITEM = re.compile(r"#\[cfg\(test\)\]")
_USE = re.compile(r"\buse\s+([^;]+);")


def code(body: str) -> str:
    """Return the text with comments and literals blanked; every line stays where it was."""

    def blank(match: re.Match[str]) -> str:
        piece = match.group()
        if piece.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", piece)
        return '"' + re.sub(r"[^\n]", " ", piece[1:-1]) + '"' if len(piece) > 1 else piece

    return _LITERAL_OR_COMMENT.sub(blank, body)


def block_end(text: str, opening: int) -> int:
    """Return the index of the brace that closes the one at `opening`; `text` is blanked code."""
    depth = 0
    for index in range(opening, len(text)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    return len(text) - 1


def without_tests(body: str) -> str:
    """Return blanked code with every `#[cfg(test)]` item blanked too."""
    text = code(body)
    while match := _TEST_ITEM.search(text):
        opening, semicolon = text.find("{", match.end()), text.find(";", match.end())
        whole_block = opening >= 0 and (semicolon < 0 or opening < semicolon)
        end = block_end(text, opening) if whole_block else (semicolon if semicolon >= 0 else len(text) - 1)
        text = text[: match.start()] + re.sub(r"[^\n]", " ", text[match.start() : end + 1]) + text[end + 1 :]
    return text


def functions(body: str) -> list[tuple[str, int, int]]:
    """Return (name, first line, last line) of every function with a body."""
    text = code(body)
    found = []
    for match in _FUNCTION.finditer(text):
        opening, semicolon = _body_opening(text, match.end())
        if opening is None or (semicolon is not None and semicolon < opening):
            continue
        first = text.count("\n", 0, match.start()) + 1
        last = text.count("\n", 0, block_end(text, opening)) + 1
        found.append((match.group(1), first, last))
    return found


def _body_opening(text: str, start: int) -> tuple[int | None, int | None]:
    """Find the first brace and the first semicolon after a signature, outside brackets (`[u8; 32]`)."""
    depth = 0
    semicolon = None
    for index in range(start, len(text)):
        mark = text[index]
        if mark in "([":
            depth += 1
        elif mark in ")]":
            depth -= 1
        elif mark == ";" and depth == 0 and semicolon is None:
            semicolon = index
        elif mark == "{" and depth == 0:
            return index, semicolon
    return None, semicolon


def paths(text: str) -> set[str]:
    """Return every path that blanked code uses: `use` trees expanded, and inline `a::b::c`."""
    found: set[str] = set()
    for match in _USE.finditer(text):
        found |= set(_expand(re.sub(r"\s+", " ", match.group(1)).strip()))
    found |= set(re.findall(r"\b[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+", text))
    return {path.replace(" ", "") for path in found}


def _expand(use: str) -> list[str]:
    """Expand one use tree: `std::{fs, io::Read}` is `std::fs` and `std::io::Read`."""
    opening = use.find("{")
    if opening < 0:
        return [use.split(" as ")[0].strip()]
    prefix, inner = use[:opening], use[opening + 1 : use.rfind("}")]
    return [prefix.strip() + path for part in _split(inner) for path in _expand(part.strip()) if part.strip()]


def _split(inner: str) -> list[str]:
    """Split at the commas that stand outside braces."""
    parts, depth, start = [], 0, 0
    for index, mark in enumerate(inner):
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
        elif mark == "," and depth == 0:
            parts.append(inner[start:index])
            start = index + 1
    return [*parts, inner[start:]]
