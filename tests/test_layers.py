"""The imports of the package run one way: no cycle, no upward import, none inside a function."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import wdjax

ROOT = Path(wdjax.__file__).parent

# From the bottom up. A module imports from lower lines, and from its own folder.
LAYERS = (
    ("typing",),
    ("trees", "scalars", "jax_compat", "lazy"),
    ("groups", "masks"),
    ("theory", "rates"),
    ("transforms", "symmetry"),
    ("tracking", "auditing", "planning", "models", "data"),
    ("training",),
    ("report",),
    ("experiments",),
    ("cli",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in ROOT.rglob("*.py")}


def imported(tree):
    """The modules of the package that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the package"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inside]
        else:
            continue
        yield from (name for name in names if name and name.split(".")[0] == "wdjax")


def part(name):
    return name.split(".")[1]


def test_every_part_has_a_layer():
    assert {part(name) for name in MODULES if name != "wdjax"} <= set(RANK)


def test_no_module_imports_upwards():
    upward = [
        (name, target)
        for name, tree in MODULES.items()
        if name != "wdjax"
        for target in imported(tree)
        if target == "wdjax"
        or (part(target) != part(name) and RANK[part(target)] >= RANK[part(name)])
    ]
    assert not upward


def test_no_import_cycle():
    graph = {name: set(imported(tree)) - {name} for name, tree in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) >= set(MODULES)


def test_no_import_inside_a_function():
    hidden = [
        (name, node.name)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node))
    ]
    assert not hidden
