"""`wdjax audit MODULE:FUNCTION`: what the decay of a training set-up does, and what is wrong."""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from wdjax.auditing import Setup, audit
from wdjax.cli.command import Commands, require_no

FOUND_WARNINGS = 1


def add(commands: Commands) -> None:
    """Adds the command to those of `wdjax`."""
    auditing = commands.add_parser(
        "audit",
        help="say what the decay of a training set-up does, and what is wrong with it",
        description="Ends with status 1 if there is a warning.",
    )
    auditing.add_argument(
        "setup",
        metavar="MODULE:FUNCTION",
        help="a function without arguments that returns (loss, params, batch, tx, steps), a "
        "wdjax.auditing.Setup or a dict of these; modules are looked for here first",
    )
    auditing.add_argument("--json", action="store_true", help="print JSON")
    auditing.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    auditing.set_defaults(command=_audit)


def _audit(known: argparse.Namespace, rest: list[str], console: Console) -> int:
    del console  # which would break long lines
    require_no(rest)
    setup = load_setup(known.setup)
    found = audit(setup.loss, setup.params, setup.batch, setup.tx, steps=setup.steps)
    if known.html is not None:
        known.html.write_text(f"<!doctype html><meta charset=utf-8>{found._repr_html_()}", "utf-8")
    print(json.dumps(found.to_dict(), ensure_ascii=False) if known.json else found)
    return 0 if found.ok else FOUND_WARNINGS


def load_setup(name: str) -> Setup:
    """Returns the set-up that a function makes; `name` is "module:function".

    Raises:
      ValueError: There is no such module or function, it fails, or it returns something else.
    """
    module_name, colon, function_name = name.partition(":")
    if not (colon and module_name and function_name):
        raise ValueError(f"{name!r} names no function; expected MODULE:FUNCTION, as train:setup.")
    function = getattr(_module(module_name), function_name, None)
    if not callable(function):
        raise ValueError(f"the module {module_name!r} has no function {function_name!r}.")
    try:
        made = function()
    except Exception as error:
        raise ValueError(f"{name} failed: {type(error).__name__}: {error}") from error
    return _setup(name, made)


def _module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ValueError(
            f"the module {name!r} cannot be imported: {type(error).__name__}: {error}. It is "
            "looked for in this folder first, then among what is installed."
        ) from error


def _setup(name: str, made: Any) -> Setup:
    if isinstance(made, Mapping) and set(made) == set(Setup._fields):
        return Setup(**made)
    if isinstance(made, tuple) and len(made) == len(Setup._fields):
        return Setup(*made)
    given = sorted(made) if isinstance(made, Mapping) else type(made).__name__
    raise ValueError(
        f"{name} returned {given}; expected {', '.join(Setup._fields)}: as a tuple, a dict or a "
        "wdjax.auditing.Setup."
    )
