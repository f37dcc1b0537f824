"""Compare a stub file with the module it describes: names, members, signatures. Both ways."""

import ast
import inspect
from collections.abc import Iterator
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType

Parameters = tuple[tuple[str, str, bool], ...]
"""(name, kind, has a default) of each parameter, `self` and `cls` left out."""

SPOKEN = {"__len__", "__getitem__", "__iter__", "__contains__", "__eq__", "__hash__", "__repr__", "__str__"}
"""The special methods that a stub must not claim without the module having them."""


def differences(stub: str, module: ModuleType) -> list[str]:
    """Return what one side says and the other does not, and every signature that differs."""
    declared = {name: node for name, node in _declarations(ast.parse(stub).body) if not name.startswith("_")}
    live = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    found = [f"only in the stub: {name}" for name in declared.keys() - live.keys()]
    found += [f"not in the stub: {name}" for name in live.keys() - declared.keys()]
    for name in declared.keys() & live.keys():
        found += _compare(name, declared[name], live[name])
    return sorted(found)


def _declarations(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if not (isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"):
                yield node.target.id, node
        elif isinstance(node, ast.If):
            yield from _declarations(node.body)


def _compare(name: str, node: ast.stmt, value: object) -> list[str]:
    if isinstance(node, ast.ClassDef):
        if not isinstance(value, type):
            return [f"not a class: {name}"]
        return _compare_class(node, value)
    if isinstance(node, ast.FunctionDef):
        if not callable(value):
            return [f"not callable: {name}"]
        return _compare_signature(name, _stub_parameters(node, drop_first=False), value, drop_first=False)
    return [f"a value in the stub, a callable in the module: {name}"] if callable(value) else []


def _compare_class(node: ast.ClassDef, cls: type) -> list[str]:
    declared = dict(_declarations(node.body))
    live = vars(cls)
    public = {name for name in live if not name.startswith("_")}
    stated = {name for name in declared if not name.startswith("_")}
    raised_state = {name for name in stated - public if issubclass(cls, BaseException)}  # set on the instance
    found = [f"only in the stub: {cls.__name__}.{name}" for name in stated - public - raised_state]
    found += [f"not in the stub: {cls.__name__}.{name}" for name in public - stated]
    found += [
        f"only in the stub: {cls.__name__}.{name}" for name in declared.keys() & SPOKEN if not _has(cls, name)
    ]
    for name in stated & public:
        found += _compare_member(f"{cls.__name__}.{name}", declared[name], live[name])
    maker = declared.get("__init__") or declared.get("__new__")
    if isinstance(maker, ast.FunctionDef):
        found += _compare_signature(
            cls.__name__, _stub_parameters(maker, drop_first=True), cls, drop_first=False
        )
    return found


def _has(cls: type, name: str) -> bool:
    """Say whether the class itself speaks a dunder; `object` lends some to everyone."""
    mine = getattr(cls, name, None)
    return name in vars(cls) or (mine is not None and mine is not getattr(object, name, None))


def _compare_member(path: str, node: ast.stmt, value: object) -> list[str]:
    attribute = isinstance(value, GetSetDescriptorType | MemberDescriptorType | property)
    described = isinstance(node, ast.AnnAssign) or (
        isinstance(node, ast.FunctionDef) and _decorated(node, "property")
    )
    if attribute or described:
        constant = described and not attribute and not callable(value)
        agree = attribute and described
        return [] if agree or constant else [f"an attribute on one side, a method on the other: {path}"]
    if not isinstance(node, ast.FunctionDef):
        return [f"not a method: {path}"]
    static = isinstance(value, staticmethod)
    if static != _decorated(node, "staticmethod"):
        return [f"static on one side only: {path}"]
    target = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    return _compare_signature(
        path, _stub_parameters(node, drop_first=not static), target, drop_first=not static
    )


def _decorated(node: ast.FunctionDef, name: str) -> bool:
    return any(ast.unparse(decorator) == name for decorator in node.decorator_list)


def _stub_parameters(node: ast.FunctionDef, *, drop_first: bool) -> Parameters:
    """Read a stub's parameters from its text."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without_default = len(positional) - len(arguments.defaults)
    rows = [
        (a.arg, "positional", index >= without_default)
        for index, a in enumerate(positional)
    ]  # fmt: skip
    if arguments.vararg:
        rows.append((arguments.vararg.arg, "*", False))
    rows += [
        (a.arg, "keyword", default is not None)
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        rows.append((arguments.kwarg.arg, "**", False))
    return tuple(rows[1:] if drop_first else rows)


def _compare_signature(path: str, stated: Parameters, value: object, *, drop_first: bool) -> list[str]:
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]  # callable(value) was asked before
    except ValueError:
        return [f"no signature in the module: {path}"]
    kinds = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
    }
    live = tuple(
        (parameter.name, kinds.get(parameter.kind, "positional"), parameter.default is not parameter.empty)
        for parameter in signature.parameters.values()
    )
    live = live[1:] if drop_first and live and live[0][0] in ("self", "cls", "$self") else live
    return (
        [] if live == stated else [f"signatures differ: {path}: stub {_shown(stated)}, module {_shown(live)}"]
    )


def _shown(parameters: Parameters) -> str:
    marks = {"positional": "", "keyword": "keyword ", "*": "*", "**": "**"}
    return (
        "("
        + ", ".join(marks[kind] + name + ("=…" if default else "") for name, kind, default in parameters)
        + ")"
    )
