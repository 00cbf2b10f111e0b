"""The only module that knows how jaxprs differ between JAX versions, from 0.10 on.

Jaxprs are taken as they come, without the types of `jax.extend.core`: to import that package takes
a good part of the time of importing JAX itself.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.interpreters import partial_eval

JAX_FOLDER = str(Path(jax.__file__).parent)


def open_jaxpr(jaxpr: Any) -> Any:
    """Returns the jaxpr itself of one that may be closed over constants.

    Until 0.10 a closed jaxpr holds an open one; from 0.11 on they are one class.
    """
    return getattr(jaxpr, "jaxpr", jaxpr)


def constants(jaxpr: Any) -> tuple[Any, ...]:
    """Returns the arrays that a jaxpr is closed over, in the order of its constvars."""
    return tuple(getattr(jaxpr, "consts", ()))


def interpret(
    jaxpr: Any,
    inputs: Sequence[Any],
    consts: Sequence[Any] | None,
    of_constant: Callable[[Any], Any],
    outputs_of: Callable[[Any, list[Any]], Sequence[Any]],
    equations: Callable[[Any], Sequence[Any]] = lambda body: body.eqns,
) -> list[Any]:
    """Walks a jaxpr with values of another kind than arrays; returns those of its outputs.

    Args:
      jaxpr: A jaxpr, open or closed.
      inputs: The values of its inputs.
      consts: Its constants, if it is open and has some.
      of_constant: Returns the value of an array or a number.
      outputs_of: Returns the values of an equation's outputs, from those of its inputs.
      equations: Returns the equations of an open jaxpr that are to be walked.
    """
    body = open_jaxpr(jaxpr)
    held = [of_constant(array) for array in (constants(jaxpr) if consts is None else consts)]
    known = dict(zip(body.constvars, held, strict=True))
    known.update(zip(body.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return of_constant(atom.val) if is_literal(atom) else known[atom]

    for eqn in equations(body):
        outputs = outputs_of(eqn, [read(atom) for atom in eqn.invars])
        known.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in body.outvars]


def is_literal(atom: Any) -> bool:
    """Says whether an input of an equation is a number and not a variable."""
    return hasattr(atom, "val")


def scan_split(params: dict[str, Any]) -> tuple[int, int]:
    """Returns how many inputs of a scan are constants, and how many are carry."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(list(consts)), len(list(carry))


def without_dead_code(jaxpr: Any) -> Any:
    """Returns the open jaxpr of a closed one of one output, without what that does not need."""
    live, _ = partial_eval.dce_jaxpr(open_jaxpr(jaxpr), [True], instantiate=True)
    return live


def writes(eqn: Any) -> bool:
    """Says whether an equation changes a reference, which another may read."""
    return any(type(effect).__name__ in ("WriteEffect", "AccumEffect") for effect in eqn.effects)


def source_line(eqn: Any) -> str | None:
    """Returns the line that an equation comes from, outside of JAX, as `file:line (function)`."""
    traceback = eqn.source_info.traceback
    for frame in traceback.frames if traceback else ():
        if not frame.file_name.startswith((JAX_FOLDER, "<frozen")):
            return f"{frame.file_name}:{frame.line_num} ({frame.function_name})"
    return None


def shape_of(value: Any) -> tuple[int, ...]:
    """Returns the shape of a variable or literal of a jaxpr."""
    return tuple(value.aval.shape)
