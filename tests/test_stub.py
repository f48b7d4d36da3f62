"""The stubs are the contract: the compiled modules have exactly what they say, and they say what everything does."""

from __future__ import annotations

import ast
import inspect
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from ratelimit_guard import _core

if TYPE_CHECKING:
    from types import ModuleType


STUBS = {
    name: ast.parse(files("ratelimit_guard").joinpath("_core", f"{name}.pyi").read_text())
    for name in ("__init__", "audit", "campaign", "detector", "live", "prompt", "remote", "sketch", "tokens")
}
SUBMODULES = set(STUBS) - {"__init__"}
MODULES: dict[str, ModuleType] = {"__init__": _core} | {name: getattr(_core, name) for name in SUBMODULES}
CLASSES = [
    (MODULES[name], node) for name, stub in STUBS.items() for node in stub.body if isinstance(node, ast.ClassDef)
]
METHODS = [
    (getattr(module, owner.name), node)
    for module, owner in CLASSES
    for node in owner.body
    if isinstance(node, ast.FunctionDef)
]
FUNCTIONS = [
    (MODULES[name], node) for name, stub in STUBS.items() for node in stub.body if isinstance(node, ast.FunctionDef)
]
CONSTANTS = [
    (MODULES[name], node.target.id, ast.unparse(node.annotation).partition("[")[0])
    for name, stub in STUBS.items()
    for node in stub.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
]


def label(value: Any) -> str:
    """A name for a parametrised case."""
    return str(getattr(value, "name", None) or getattr(value, "__name__", value))


def decorators(function: ast.FunctionDef) -> set[str]:
    """Names of a function's decorators."""
    return {node.id for node in function.decorator_list if isinstance(node, ast.Name)}


def stub_parameters(function: ast.FunctionDef) -> list[tuple[str, Any]]:
    """Names and defaults, without self or cls."""
    names = [argument.arg for argument in function.args.args]
    values = [ast.literal_eval(default) for default in function.args.defaults]
    defaults = [inspect.Parameter.empty] * (len(names) - len(values)) + values
    if function.args.vararg:
        names, defaults = [*names, function.args.vararg.arg], [*defaults, inspect.Parameter.empty]
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        names.append(argument.arg)
        defaults.append(inspect.Parameter.empty if default is None else ast.literal_eval(default))
    return [(name, value) for name, value in zip(names, defaults, strict=True) if name not in {"self", "cls"}]


def real_parameters(function: Any) -> list[tuple[str, Any]]:
    """The same of the compiled function."""
    return [
        (parameter.name, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    ]


@pytest.mark.parametrize("name", STUBS)
def test_stub_and_module_have_the_same_names(name: str) -> None:
    """Nothing is missing and nothing is hidden."""
    real = {name for name in vars(MODULES[name]) if not name.startswith("__")}
    said = {owner.name for module, owner in CLASSES if module is MODULES[name]}
    constants = {constant for module, constant, _ in CONSTANTS if module is MODULES[name]}
    functions = {function.name for module, function in FUNCTIONS if module is MODULES[name]}
    assert real == said | constants | functions | (SUBMODULES if name == "__init__" else set())


@pytest.mark.parametrize(("module", "owner"), CLASSES, ids=label)
def test_stub_class_has_the_same_members(module: ModuleType, owner: ast.ClassDef) -> None:
    """Public methods and properties are those of the compiled class; nobody can derive from a final one."""
    real = getattr(module, owner.name)
    said = {node.name for node in owner.body if isinstance(node, ast.FunctionDef)}
    assert {name for name in vars(real) if not name.startswith("_")} == {
        name for name in said if not name.startswith("_")
    }
    assert all(hasattr(real, name) for name in said)
    if "final" in {node.id for node in owner.decorator_list if isinstance(node, ast.Name)}:
        with pytest.raises(TypeError):
            type("Derived", (real,), {})
    else:
        assert type("Derived", (real,), {})


@pytest.mark.parametrize(("owner", "function"), METHODS, ids=label)
def test_stub_function_has_the_same_signature(owner: type, function: ast.FunctionDef) -> None:
    """Argument names, their order and their defaults agree; properties are properties."""
    member = inspect.getattr_static(owner, function.name)
    if "property" in decorators(function):
        assert inspect.isgetsetdescriptor(member)
    elif function.name == "__new__":
        assert real_parameters(owner) == stub_parameters(function)
    elif not function.name.startswith("__"):
        assert isinstance(member, staticmethod) == ("staticmethod" in decorators(function))
        assert real_parameters(getattr(owner, function.name)) == stub_parameters(function)


@pytest.mark.parametrize(("module", "function"), FUNCTIONS, ids=label)
def test_stub_module_function_has_the_same_signature(module: ModuleType, function: ast.FunctionDef) -> None:
    """Argument names, their order and their defaults agree."""
    assert real_parameters(getattr(module, function.name)) == stub_parameters(function)


@pytest.mark.parametrize(("module", "name", "kind"), CONSTANTS, ids=label)
def test_stub_constant_has_its_type(module: ModuleType, name: str, kind: str) -> None:
    """Each constant is there, once, in the compiled module."""
    assert type(getattr(module, name)).__name__ == kind


def test_stub_says_what_everything_does() -> None:
    """The modules, their classes and their methods have docstrings."""
    silent = [
        f"{owner.__name__}.{function.name}"
        for owner, function in METHODS
        if not function.name.startswith("__")
        and "property" not in decorators(function)
        and not ast.get_docstring(function)
    ]
    assert all(ast.get_docstring(stub) for stub in STUBS.values())
    assert all(ast.get_docstring(function) for _, function in FUNCTIONS)
    assert not [owner.name for _, owner in CLASSES if not ast.get_docstring(owner)]
    assert not silent


@pytest.mark.parametrize("name", ["LimitResult", "TableLimiter", "Permit", "Table"])
def test_class_cannot_be_made_by_hand(name: str) -> None:
    """What only the module may make has no constructor."""
    with pytest.raises(TypeError):
        getattr(_core, name)()
