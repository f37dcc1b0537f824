"""What the bash of macOS (3.2) cannot run stands in no script that runs there, or might."""

import re

import pytest

from tests.tidy import tree

MAYBE_EMPTY = re.compile(r'(?:^|[\s;])(\w+)=\((?:\)|"\$@"\)|\$\()', re.M)
"""An array that may have nothing in it: under `set -u` its `"${name[@]}"` is an error before bash 4.4."""
NEWER = {
    "an associative array": re.compile(r"\b(?:declare|local|typeset) -\w*A"),
    "mapfile": re.compile(r"\b(?:mapfile|readarray)\b"),
    "a change of case": re.compile(r"\$\{\w+(?:,,?|\^\^?)"),
    "|&": re.compile(r"\|&"),
    "wait -n": re.compile(r"\bwait -n\b"),
    "[[ -v": re.compile(r"\[\[ -v "),
}


def scripts() -> dict[str, str]:
    """Return every tracked script of a shell."""
    texts = {name: tree.text(name) for name in tree.tracked() if name.startswith((".ci/", "tools/"))}
    return {name: text for name, text in texts.items() if re.match(r"#!.*\b(?:ba)?sh\b", text)}


def problems(script: str) -> list[str]:
    """Return what bash 3.2 would not run."""
    code = re.sub(r"(?m)(?:^|\s)#.*$", "", script)
    found = [what for what, pattern in NEWER.items() if pattern.search(code)]
    for name in MAYBE_EMPTY.findall(code):
        unguarded = re.sub(rf'\$\{{{name}\[@\]\+"\$\{{{name}\[@\]\}}"\}}', "", code)
        if f"${{{name}[@]}}" in unguarded:
            found.append(f"{name} may be empty")
    return found


def test_scripts_run_under_the_bash_of_macos():
    assert len(scripts()) >= 9 and "tools/wheels" in scripts()
    assert {name: found for name, text in scripts().items() if (found := problems(text))} == {}


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('only=("$@")\nfor each in "${only[@]}"; do', ["only may be empty"]),
        ('only=()\nf "${only[@]}"', ["only may be empty"]),
        ('only=("$@")\nfor each in ${only[@]+"${only[@]}"}; do', []),
        ('what=("$wheel")\npip "${what[@]}"', []),
        ('only=("$@") # "${only[@]}" is an error', []),
        ("mapfile -t lines", ["mapfile"]),
        ("declare -A seen", ["an associative array"]),
        ('x="${name,,}"', ["a change of case"]),
    ],
)
def test_what_it_would_not_run_is_found(script, found):
    assert problems(script) == found
