"""Files and functions stay small enough to be read whole."""

import ast

import pytest

from tests.tidy import rust, tree

FILE_LINES = 500
TEST_FILE_LINES = 700
FUNCTION_LINES = 70
SOURCES = ("python/", "rust/", "tests/", "benches/", "examples/")


def is_test(name: str) -> bool:
    """Say whether a file holds tests or benches, which may be longer: tables of cases are not logic."""
    parts = name.split("/")
    return bool({"tests", "benches"} & set(parts[:-1])) or parts[-1] in ("tests.rs", "bench.rs")


def long_files(files: dict[str, str]) -> list[str]:
    """Return the files past their bound."""
    found = []
    for name, body in files.items():
        lines, bound = body.count("\n"), TEST_FILE_LINES if is_test(name) else FILE_LINES
        if lines > bound:
            found.append(f"{name}: {lines} lines, at most {bound}")
    return found


def long_python_functions(files: dict[str, str]) -> list[str]:
    """Return the Python functions past the bound, the docstring counted."""
    found = []
    for name, body in files.items():
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found.append(
                        f"{name}:{node.lineno}: {node.name}: {lines} lines, at most {FUNCTION_LINES}"
                    )
    return found


def long_rust_functions(files: dict[str, str]) -> list[str]:
    """Return the Rust functions past the bound."""
    return [
        f"{name}:{first}: {function}: {last - first + 1} lines, at most {FUNCTION_LINES}"
        for name, body in files.items()
        for function, first, last in rust.functions(body)
        if last - first + 1 > FUNCTION_LINES
    ]


def python_files():
    return tree.named(under=SOURCES, suffix=".py")


def rust_files():
    return tree.named(under=SOURCES, suffix=".rs")


def test_files_are_short():
    assert long_files(python_files() | rust_files()) == []


def test_functions_are_short():
    assert long_python_functions(python_files()) + long_rust_functions(rust_files()) == []


@pytest.mark.parametrize(
    ("name", "lines", "fails"),
    [
        ("python/covey/x.py", 500, False),
        ("python/covey/x.py", 501, True),
        ("rust/core/src/x.rs", 501, True),
        ("tests/unit/test_x.py", 501, False),
        ("rust/core/src/record/tests.rs", 700, False),
        ("tests/unit/test_x.py", 701, True),
    ],
)
def test_a_long_file_is_found(name, lines, fails):
    assert bool(long_files({name: "x = 1\n" * lines})) is fails


def test_a_long_function_is_found():
    assert long_python_functions({"x.py": "def f():\n" + "    x = 1\n" * 70}) == [
        "x.py:1: f: 71 lines, at most 70"
    ]
    assert long_python_functions({"x.py": "def f():\n" + "    x = 1\n" * 69}) == []
    body = 'fn short() {}\n\nfn f(a: &str) -> u8 {\n    let b = "{";\n' + "    a;\n" * 68 + "}\n"
    assert long_rust_functions({"x.rs": body}) == ["x.rs:3: f: 71 lines, at most 70"]
