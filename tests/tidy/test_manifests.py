"""Each dependency and each bound says why it is there; the locks lock, and name no place."""

import ast
import json
import re
import sys
import tomllib

import pytest

from tests.tidy import tree

LOCKS = tuple(
    f"requirements/{name}.txt"
    for name in ("run", "build", "test", "bench", "rivals", "wheels", "fuzz", "docs")
)
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)


def toml_lines_without_reason(manifest: str, section: str) -> list[str]:
    """Return entries of a TOML table that have no comment beside or directly above them."""
    found, inside, above = [], False, ""
    for raw in manifest.splitlines():
        line = raw.strip()
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and line and not line.startswith("#"):
            ours = "path =" in line
            if not ours and "#" not in line and not above.startswith("#"):
                found.append(line)
        above = line
    return found


def list_items_without_reason(manifest: str, start: str) -> list[str]:
    """Return quoted items of a TOML list that have no comment on their line; `start` opens the list."""
    body = manifest[manifest.index(start) :]
    rows = body[: body.index("\n]")].splitlines()[1:]
    return [row.strip() for row in rows if row.strip().startswith('"') and "#" not in row]


def requirements_without_reason(body: str) -> list[str]:
    """Return lines of a requirements input that have no comment."""
    lines = [line.strip() for line in body.splitlines()]
    rows = [(above, line) for above, line in zip(["", *lines], lines, strict=False) if line]
    return [line for above, line in rows if "#" not in line and not above.startswith("#")]


def bounds_without_reason(body: str) -> list[str]:
    """Return bounds that have neither a comment beside or above them nor a text below."""
    lines = body.splitlines()
    statements = ast.parse(body).body
    found = []
    for index, node in enumerate(statements):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        after = statements[index + 1] if index + 1 < len(statements) else None
        told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        beside = any(
            "#" in lines[row - 1] for row in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        )
        above = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        if not (told or beside or (above.startswith("#") and not above.startswith("# ---"))):
            found.append(ast.unparse(target))
    return found


def pins(body: str) -> dict[str, str]:
    """Return {package: version} of a locked requirements file."""
    return {match["name"]: match["version"] for match in PIN.finditer(body)}


def unlocked(body: str) -> list[str]:
    """Return lines of a lock that pin without a hash, or that name an index, a file or an address."""
    found = []
    for entry in re.split(r"\n(?=[a-z0-9-])", "\n" + body):
        head = entry.strip().splitlines()[0] if entry.strip() else ""
        if head and not head.startswith("#") and "--hash=sha256:" not in entry:
            found.append(head)
    return found + re.findall(r"(?:--(?:extra-)?index-url|--find-links|file:|https?:).*", body)


def declared(requirement: str) -> str:
    """Return the normalised name in a requirement such as `PyNaCl>=1.5`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match.group()).lower() if match else ""


def test_every_rust_dependency_has_a_reason():
    assert toml_lines_without_reason(tree.text("Cargo.toml"), "workspace.dependencies") == []


def test_crates_take_their_dependencies_from_the_workspace():
    for name in tree.named(under=("rust/",), suffix="Cargo.toml"):
        manifest = tomllib.loads(tree.text(name))
        for table in ("dependencies", "dev-dependencies", "build-dependencies"):
            for dependency, spec in manifest.get(table, {}).items():
                assert isinstance(spec, dict), f"{name}: {dependency}"
                assert spec.get("workspace") is True, f"{name}: {dependency}"


def test_every_python_dependency_has_a_reason():
    manifest = tree.text("pyproject.toml")
    assert list_items_without_reason(manifest, "dependencies = [") == []
    assert toml_lines_without_reason(manifest, "project.optional-dependencies") == []
    for name in (
        f"requirements/{each}.in" for each in ("build", "test", "bench", "rivals", "wheels", "docs")
    ):
        assert requirements_without_reason(tree.text(name)) == [], name


def test_every_bound_has_a_reason():
    rooms = tree.named(under=("python/covey/limits/",), suffix=".py")
    assert len(rooms) > 1
    assert {room: bounds_without_reason(tree.text(room)) for room in rooms} == {room: [] for room in rooms}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_hashed_and_name_no_place(name):
    assert unlocked(tree.text(name)) == []
    assert pins(tree.text(name))


def test_locks_agree_and_cover_the_manifest():
    locked = [pins(tree.text(name)) for name in LOCKS]
    for one in locked:
        for other in locked:
            assert {name: one[name] for name in one.keys() & other} == {
                name: other[name] for name in one.keys() & other
            }
    project = tomllib.loads(tree.text("pyproject.toml"))["project"]
    wanted = {declared(item) for item in project["dependencies"]}
    for items in project["optional-dependencies"].values():
        wanted |= {declared(item) for item in items} - {project["name"]}
    assert wanted <= set(locked[0])


def test_one_version_everywhere():
    workspace = tomllib.loads(tree.text("Cargo.toml"))["workspace"]["package"]["version"]
    project = tomllib.loads(tree.text("pyproject.toml"))["project"]["version"]
    root = next(
        ast.literal_eval(node.value)
        for node in tree.python("python/covey/__init__.py").body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    )
    locked = tomllib.loads(tree.text("Cargo.lock"))["package"]
    crates = {crate["version"] for crate in locked if crate["name"].startswith("covey-")}
    assert {workspace, project, root} | crates == {project}, json.dumps([workspace, project, root, *crates])


def test_every_crate_of_ours_compiles_lightly_in_the_dev_profile():
    workspace = tomllib.loads(tree.text("Cargo.toml"))
    listed = workspace["profile"]["dev"]["package"]
    for member in workspace["workspace"]["members"]:
        crate = tomllib.loads(tree.text(f"{member}/Cargo.toml"))["package"]["name"]
        assert listed.get(crate) == {"opt-level": 1}, crate


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_pages_name_the_oldest_rust_of_the_manifest(page):
    least = tomllib.loads(tree.text("Cargo.toml"))["workspace"]["package"]["rust-version"]
    assert f"Rust {least} or newer" in tree.text(page)


def test_no_toolchain_channel_is_pinned():
    assert [name for name in tree.tracked() if name.split("/")[-1].startswith("rust-toolchain")] == []


def test_each_manifest_check_can_fail():
    table = '[workspace.dependencies]\n# why\nserde = "1"\nrand = "1"\n[other]\nx = 1\n'
    assert toml_lines_without_reason(table, "workspace.dependencies") == ['rand = "1"']
    assert list_items_without_reason(
        'dependencies = [\n  "a>=1",  # why\n  "b",\n]\n', "dependencies = ["
    ) == ['"b",']
    assert requirements_without_reason("# why\na\nb  # why\nc\n") == ["c"]
    assert bounds_without_reason("A = 1  # why\nB = 2\n# why\nC = 3\nD = 4\n'''why'''\n") == ["B"]
    assert unlocked("a==1 \\\n    --hash=sha256:00\nb==2\n") == ["b==2"]
    assert unlocked("--index-url https://x\na==1 \\\n    --hash=sha256:00\n") != []


IMPORTED_AS = {"nacl": "pynacl", "nats": "nats-py", "opentelemetry": "opentelemetry-sdk"}
"""Packages whose import has another name."""


def undeclared(files: dict[str, str], declared_names: set[str]) -> list[str]:
    """Return imports that the manifest does not ask for: they work until somebody else drops them."""
    found = []
    for name, body in files.items():
        for node in ast.walk(ast.parse(body)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module]
            tops = {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"covey"}
            found += [f"{name}: {top}" for top in tops if IMPORTED_AS.get(top, top) not in declared_names]
    return found


def test_every_package_that_is_imported_is_asked_for():
    project = tomllib.loads(tree.text("pyproject.toml"))["project"]
    asked = {declared(item) for item in project["dependencies"]}
    for items in project["optional-dependencies"].values():
        asked |= {declared(item) for item in items}
    assert undeclared(tree.package(), asked) == []


def test_an_undeclared_import_is_found():
    assert undeclared({"x.py": "import httpx"}, {"rich"}) == ["x.py: httpx"]
    assert undeclared({"x.py": "import os\nfrom nacl.secret import SecretBox"}, {"pynacl"}) == []
