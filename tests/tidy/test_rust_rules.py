"""The rules of the Rust side that the compiler does not know: what the core may use, and where."""

import re
import tomllib

import pytest

from tests.tidy import rust, tree

WORLD = ("std::time", "std::env", "std::fs", "std::net", "std::thread", "std::process", "rand", "getrandom")
PURE = ("rust/core/src/", "rust/legacy/src/")
"""The crates without a world: the core, and the wire of stock peers beside it."""
CURVE_AND_AEAD = ("curve25519_dalek", "ed25519_dalek", "x25519_dalek", "ring", "aes_gcm")
CURVE_ROOMS = ("identity", "seal", "handshake", "signature")
LEGACY_USERS = ("rust/legacy/", "rust/py/src/legacy")
"""Who may name covey-legacy: itself, and its own binding. Its rules reach nobody else."""
HASHED = re.compile(r"\b(?:HashMap|HashSet)\b")
HASHED_ALLOWED: dict[str, dict[str, str]] = {
    "rust/core/src/intake/mod.rs": {"bindings": "looked up for each record of a batch; never walked"},
    "rust/core/src/intake/recent.rs": {"places": "looked up for each record; the order is kept beside it"},
}
"""Files of the core that may hold hash maps, {file: {map: reason}}: for lookups, never walked."""
WALKS = (
    r"\b{0}\s*\.\s*(?:iter|iter_mut|into_iter|keys|into_keys|values|values_mut|into_values|drain|retain)\b"
    r"|\bin\s+&?(?:mut\s+)?(?:self\s*\.\s*)?{0}\b"
)
UNSAFE_ALLOWED: tuple[str, ...] = ("rust/kernels/",)
UNFINISHED = re.compile(r"\b(?:todo|unimplemented|dbg|println|eprintln|print|eprint)!")
UNWRAP = re.compile(r"\.unwrap\(\)|\.unwrap_err\(\)")
EMPTY_EXPECT = re.compile(r'\.expect\(\s*""?\s*\)')
ALLOW = re.compile(r"#!?\[allow\(([^\]]*)\)\]")


def core_room(name: str) -> str:
    """Return the room of a pure crate's file: `rust/core/src/record/parse.rs` is in `record`."""
    for crate in PURE:
        name = name.removeprefix(crate)
    return name.removesuffix(".rs").split("/")[0]


def world_in_core(files: dict[str, str]) -> list[str]:
    """Return uses of clock, environment, files, sockets, threads and randomness in the core."""
    found = []
    for name, body in files.items():
        for path in sorted(rust.paths(rust.code(body))):
            if any(path == banned or path.startswith(banned + "::") for banned in WORLD):
                found.append(f"{name}: {path}")
    return found


def curves_outside_their_rooms(files: dict[str, str]) -> list[str]:
    """Return uses of the curve and AEAD crates outside the rooms that may."""
    return [
        f"{name}: {path}"
        for name, body in files.items()
        if core_room(name) not in CURVE_ROOMS
        for path in sorted(rust.paths(rust.without_tests(body)))
        if path.split("::")[0] in CURVE_AND_AEAD
    ]


def lines_with(pattern: re.Pattern[str], files: dict[str, str], *, tests_too: bool = False) -> list[str]:
    """Return `file:line` of every match in code (comments and literals blanked)."""
    found = []
    for name, body in files.items():
        text = rust.code(body) if tests_too else rust.without_tests(body)
        found += [
            f"{name}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def allows_without_reason(files: dict[str, str]) -> list[str]:
    """Return `#[allow(…)]` with neither `reason = "…"` nor a comment beside or above it."""
    found = []
    for name, body in files.items():
        lines = body.splitlines()
        for number, line in enumerate(lines):
            match = ALLOW.search(rust.code(line))
            if not match or "reason" in match.group(1):
                continue
            above = lines[number - 1].strip() if number else ""
            if "//" not in line and not (above.startswith("//") and not above.startswith("///")):
                found.append(f"{name}:{number + 1}: {line.strip()}")
    return found


def core_sources():
    return tree.named(under=PURE, suffix=".rs")


def production():
    """Return every source file of the workspace but tests and benches."""
    files = tree.named(under=("rust/",), suffix=".rs")
    return {name: body for name, body in files.items() if "/src/" in name and not name.endswith("tests.rs")}


def legacy_elsewhere(files: dict[str, str]) -> list[str]:
    """Return uses of covey-legacy outside the files that may."""
    return [
        f"{name}: {path}"
        for name, body in files.items()
        if not name.startswith(LEGACY_USERS)
        for path in sorted(rust.paths(rust.code(body)))
        if path.split("::")[0] == "covey_legacy"
    ]


def test_nothing_else_imports_the_legacy_rules():
    assert legacy_elsewhere(tree.named(under=("rust/",), suffix=".rs")) == []
    assert legacy_elsewhere({"rust/core/src/x.rs": "use covey_legacy::seal::Channel;"}) != []
    assert legacy_elsewhere({"rust/py/src/legacy.rs": "use covey_legacy::session;"}) == []


def test_the_core_touches_no_world():
    assert world_in_core(core_sources()) == []


def test_curves_and_aead_stay_in_their_rooms():
    sources = {name: body for name, body in core_sources().items() if not name.endswith("tests.rs")}
    assert curves_outside_their_rooms(sources) == []


def test_the_core_keeps_no_hash_maps():
    sources = {name: body for name, body in core_sources().items() if name not in HASHED_ALLOWED}
    assert lines_with(HASHED, sources) == []


def walked_hash_maps(files: dict[str, str], maps: dict[str, dict[str, str]]) -> list[str]:
    """Return the lines that walk over a hash map: its order differs from run to run."""
    return [
        line
        for name, held in maps.items()
        for each in held
        for line in lines_with(re.compile(WALKS.format(each)), {name: files[name]})
    ]


def test_no_order_of_a_hash_map_shows():
    assert walked_hash_maps(core_sources(), HASHED_ALLOWED) == []


def test_a_walked_hash_map_is_found():
    maps = {"x.rs": {"places": "looked up"}}
    assert walked_hash_maps({"x.rs": "fn f() { self.places.values().next(); }"}, maps) != []
    assert walked_hash_maps({"x.rs": "fn f() { for (k, v) in &self.places {} }"}, maps) != []
    assert walked_hash_maps({"x.rs": "fn f() { self.places.get(&k); }"}, maps) == []


def test_unsafe_stays_in_the_kernels():
    files = {name: body for name, body in production().items() if not name.startswith(UNSAFE_ALLOWED)}
    assert lines_with(re.compile(r"\bunsafe\b"), files) == []


def test_no_function_is_asked_whose_last_bit_a_platform_may_choose():
    refused = set(tomllib.loads(tree.text("clippy.toml"))["disallowed-methods"])
    for number in ("f32", "f64"):
        assert {
            f"{number}::{name}" for name in ("exp", "powf", "powi", "ln", "sin", "cos", "tanh")
        } <= refused
    assert lines_with(re.compile("disallowed_methods"), tree.named(under=("rust/",), suffix=".rs")) == []


def test_nothing_unfinished_and_nothing_unwrapped():
    assert lines_with(UNFINISHED, production()) == []
    assert lines_with(UNWRAP, production()) == []


def test_an_expect_says_why_it_cannot_fail():
    found = [f"{name}: empty expect" for name, body in production().items() if EMPTY_EXPECT.search(body)]
    assert found == []


def test_allows_carry_a_reason():
    assert allows_without_reason(tree.named(under=("rust/",), suffix=".rs")) == []


def test_pure_crates_forbid_unsafe_by_manifest():
    for crate in ("core", "engine", "legacy", "store"):
        manifest = tomllib.loads(tree.text(f"rust/{crate}/Cargo.toml"))
        assert manifest["lints"] == {"workspace": True}, crate
    workspace = tomllib.loads(tree.text("Cargo.toml"))["workspace"]
    assert workspace["lints"]["rust"]["unsafe_code"] == "forbid"


@pytest.mark.parametrize(
    "body",
    [
        "use std::time::Instant;",
        "use std::{collections::BTreeMap, fs::{self, File}};",
        "fn f() { let now = std::time::SystemTime::now(); }",
        "use rand::Rng;",
        'fn f() { std::env::var("X"); }',
    ],
)
def test_world_in_the_core_is_found(body):
    assert world_in_core({"rust/core/src/x.rs": body}) != []


def test_words_in_comments_and_strings_are_not_code():
    body = '// std::fs::read\n/// rand::random\nfn f() -> &str { "std::env::var" }\nconst C: char = \'"\';\n'
    assert world_in_core({"rust/core/src/x.rs": body}) == []


def test_each_rust_check_can_fail():
    assert curves_outside_their_rooms({"rust/core/src/address.rs": "use ed25519_dalek::Signature;"}) != []
    assert curves_outside_their_rooms({"rust/core/src/seal/mod.rs": "use ring::aead::Nonce;"}) == []
    assert lines_with(HASHED, {"x.rs": "use std::collections::HashMap;"}) != []
    assert lines_with(UNFINISHED, {"x.rs": "fn f() { todo!() }"}) == ["x.rs:1: fn f() { todo!() }"]
    assert lines_with(UNWRAP, {"x.rs": "fn f() { g().unwrap(); }"}) != []
    assert lines_with(UNWRAP, {"x.rs": "#[cfg(test)]\nmod tests {\n fn f() { g().unwrap(); }\n}"}) == []
    assert lines_with(re.compile(r"\bunsafe\b"), {"x.rs": "unsafe fn f() {}"}) != []
    assert EMPTY_EXPECT.search('x.expect("")')


def test_an_allow_without_reason_is_found():
    bare = "#[allow(clippy::cast_possible_truncation)]\nfn f() {}"
    assert allows_without_reason({"x.rs": bare}) == ["x.rs:1: #[allow(clippy::cast_possible_truncation)]"]
    assert allows_without_reason({"x.rs": "// a count below 2^53\n" + bare}) == []
    assert allows_without_reason({"x.rs": '#[allow(dead_code, reason = "read by the stub check")]'}) == []


def test_functions_are_measured_through_arrays_and_literals():
    body = 'fn a(x: [u8; 2]) -> [u8; 2] {\n  let s = "}";\n  x\n}\ntrait T { fn b(&self); }\nfn c() {}\n'
    assert rust.functions(body) == [("a", 1, 4), ("c", 6, 6)]
