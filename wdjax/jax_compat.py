"""The only module that knows how jaxprs differ between JAX versions, from 0.10 on."""

from typing import Any

from jax.extend import source_info_util
from jax.extend.core import (
    ClosedJaxpr,  # pyright: ignore[reportPrivateImportUsage]
    JaxprEqn,
)
from jax.interpreters import partial_eval


def open_jaxpr(jaxpr: Any) -> Any:
    """Returns the jaxpr itself of one that may be closed over constants.

    Until 0.10 a ClosedJaxpr wraps a Jaxpr; from 0.11 on they are one class.
    """
    return getattr(jaxpr, "jaxpr", jaxpr) if isinstance(jaxpr, ClosedJaxpr) else jaxpr


def constants(jaxpr: Any) -> tuple[Any, ...]:
    """Returns the arrays that a jaxpr is closed over, in the order of its constvars."""
    return tuple(getattr(jaxpr, "consts", ()))


def scan_split(params: dict[str, Any]) -> tuple[int, int]:
    """Returns how many inputs of a scan are constants, and how many are carry."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(list(consts)), len(list(carry))


def without_dead_code(jaxpr: Any) -> Any:
    """Returns a closed jaxpr of one output, without what that output does not need."""
    live, _ = partial_eval.dce_jaxpr(open_jaxpr(jaxpr), [True], instantiate=True)
    return ClosedJaxpr(live, list(constants(jaxpr))) if constants(jaxpr) else live


def source_line(eqn: JaxprEqn) -> str:
    """Returns the line of user code that an equation comes from, as `file:line (function)`."""
    return source_info_util.summarize(eqn.source_info)


def shape_of(value: Any) -> tuple[int, ...]:
    """Returns the shape of a variable or literal of a jaxpr."""
    return tuple(value.aval.shape)


__all__ = [
    "constants",
    "open_jaxpr",
    "scan_split",
    "shape_of",
    "source_line",
    "without_dead_code",
]
