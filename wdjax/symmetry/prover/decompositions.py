"""Rules of matrix decompositions and transforms: along the axes of the matrix nothing may vary."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from wdjax.jax_compat import shape_of
from wdjax.symmetry.prover.elementwise import multiply
from wdjax.symmetry.prover.values import Value, invariant, plain_axes, powered
from wdjax.symmetry.prover.walk import Rule, Walk

WHY = "entries that scale differently are mixed in a matrix decomposition"


def _plain_matrix(walk: Walk, value: Value) -> Value:
    rank = len(value.axes)
    return walk.need_plain(value, (rank - 2, rank - 1), WHY)


def of_powers(powers: Callable[[Any], tuple[Fraction | int, ...]]) -> Rule:
    """Outputs of which each scales as a power of the matrix."""

    def rule(walk: Walk, eqn: Any, matrix: Value) -> list[Value]:
        matrix = _plain_matrix(walk, matrix)
        batch = len(matrix.axes) - 2

        def output(var: Any, power: Fraction | int) -> Value:
            shape = shape_of(var)
            scaling = powered(matrix, power) if power else invariant(matrix.shape)
            return scaling._replace(axes=(*scaling.axes[:batch], *plain_axes(shape[batch:])))

        return [output(*pair) for pair in zip(eqn.outvars, powers(eqn), strict=True)]

    return rule


def triangular_solve(walk: Walk, eqn: Any, matrix: Value, right: Value) -> Value:
    """The solution x of a x = b or x a = b."""
    matrix, right = _plain_matrix(walk, matrix), _plain_matrix(walk, right)
    like = matrix._replace(axes=(*matrix.axes[:-2], *right.axes[-2:]))
    if eqn.params["unit_diagonal"]:  # what stands on the diagonal does not scale
        walk.need_invariant(matrix, "a matrix that scales has a diagonal that does not")
    return multiply(walk, right, like, -1)


def fourier(walk: Walk, eqn: Any, value: Value) -> Value:
    """A Fourier transform over the last axes."""
    rank, count = len(value.axes), len(eqn.params["fft_lengths"])
    why = "entries that scale differently are mixed in a Fourier transform"
    value = walk.need_plain(value, range(rank - count, rank), why)
    shape = shape_of(eqn.outvars[0])
    axes = (*value.axes[: rank - count], *plain_axes(shape[rank - count :]))
    return value._replace(axes=axes, constant=None)


DECOMPOSITIONS: dict[str, Rule] = {
    "svd": of_powers(lambda eqn: (1, 0, 0)[: len(eqn.outvars)]),
    "eigh": of_powers(lambda eqn: (0, 1)),
    "qr": of_powers(lambda eqn: (0, 1, 0)[: len(eqn.outvars)]),
    "cholesky": of_powers(lambda eqn: (Fraction(1, 2),)),
    "triangular_solve": triangular_solve,
    "fft": fourier,
}
