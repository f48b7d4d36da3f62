"""`_core.pyi` is the contract: the compiled module has exactly what it says, and it says what everything does."""

from __future__ import annotations

import ast
import inspect
from importlib.resources import files
from typing import Any

import pytest

from ratelimit_guard import _core

STUB = ast.parse(files("ratelimit_guard").joinpath("_core.pyi").read_text())
CLASSES = [node for node in STUB.body if isinstance(node, ast.ClassDef)]
METHODS = [(owner, node) for owner in CLASSES for node in owner.body if isinstance(node, ast.FunctionDef)]
CONSTANTS = {
    node.target.id: ast.unparse(node.annotation).partition("[")[0]
    for node in STUB.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
}


def label(value: Any) -> str:
    """A name for a parametrised case."""
    return value.name if isinstance(value, ast.ClassDef | ast.FunctionDef) else str(value)


def decorators(function: ast.FunctionDef) -> set[str]:
    """Names of a function's decorators."""
    return {node.id for node in function.decorator_list if isinstance(node, ast.Name)}


def stub_parameters(function: ast.FunctionDef) -> list[tuple[str, Any]]:
    """Names and defaults, without self or cls."""
    names = [argument.arg for argument in function.args.args]
    values = [ast.literal_eval(default) for default in function.args.defaults]
    defaults = [inspect.Parameter.empty] * (len(names) - len(values)) + values
    return [(name, value) for name, value in zip(names, defaults, strict=True) if name not in {"self", "cls"}]


def real_parameters(function: Any) -> list[tuple[str, Any]]:
    """The same of the compiled function."""
    return [
        (parameter.name, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    ]


def test_stub_and_module_have_the_same_names() -> None:
    """Nothing is missing and nothing is hidden."""
    real = {name for name in vars(_core) if not name.startswith("__")}
    assert real == {owner.name for owner in CLASSES} | set(CONSTANTS)


@pytest.mark.parametrize("owner", CLASSES, ids=label)
def test_stub_class_has_the_same_members(owner: ast.ClassDef) -> None:
    """Public methods and properties are those of the compiled class, and nobody can derive from it."""
    real = getattr(_core, owner.name)
    said = {node.name for node in owner.body if isinstance(node, ast.FunctionDef)}
    assert {name for name in vars(real) if not name.startswith("_")} == {
        name for name in said if not name.startswith("_")
    }
    assert all(hasattr(real, name) for name in said)
    assert "final" in {node.id for node in owner.decorator_list if isinstance(node, ast.Name)}
    with pytest.raises(TypeError):
        type("Derived", (real,), {})


@pytest.mark.parametrize(("owner", "function"), METHODS, ids=label)
def test_stub_function_has_the_same_signature(owner: ast.ClassDef, function: ast.FunctionDef) -> None:
    """Argument names, their order and their defaults agree; properties are properties."""
    member = inspect.getattr_static(getattr(_core, owner.name), function.name)
    if "property" in decorators(function):
        assert inspect.isgetsetdescriptor(member)
    elif function.name == "__new__":
        assert real_parameters(getattr(_core, owner.name)) == stub_parameters(function)
    elif not function.name.startswith("__"):
        assert isinstance(member, staticmethod) == ("staticmethod" in decorators(function))
        assert real_parameters(getattr(getattr(_core, owner.name), function.name)) == stub_parameters(function)


@pytest.mark.parametrize("name", CONSTANTS)
def test_stub_constant_has_its_type(name: str) -> None:
    """Each constant is there, once, in the compiled module."""
    assert type(getattr(_core, name)).__name__ == CONSTANTS[name]


def test_stub_says_what_everything_does() -> None:
    """The module, its classes and their methods have docstrings."""
    silent = [
        f"{owner.name}.{function.name}"
        for owner, function in METHODS
        if not function.name.startswith("__")
        and "property" not in decorators(function)
        and not ast.get_docstring(function)
    ]
    assert ast.get_docstring(STUB)
    assert not [owner.name for owner in CLASSES if not ast.get_docstring(owner)]
    assert not silent


@pytest.mark.parametrize("name", ["LimitResult", "TableLimiter", "Permit", "Table"])
def test_class_cannot_be_made_by_hand(name: str) -> None:
    """What only the module may make has no constructor."""
    with pytest.raises(TypeError):
        getattr(_core, name)()
