"""Scale symmetries of a loss: residuals of the identities that they imply, and assertions on them.

If L(cw) = L(w) for every c > 0, then ⟨w, ∇L(w)⟩ = 0, ∇L(cw) = ∇L(w)/c and H(w) w = −∇L(w). Each
identity has a residual, a pure function that is zero where it holds and that works under `jit`,
and an assertion in the manner of chex.
"""

from wdjax.symmetry.assertions import (
    assert_gradient_orthogonal,
    assert_hessian_identity,
    assert_inverse_scaling,
    assert_scale_invariant,
)
from wdjax.symmetry.check import Checked, check
from wdjax.symmetry.find import find, register_rule
from wdjax.symmetry.identities import (
    hessian_residual,
    inverse_scaling_residual,
    orthogonality_residual,
    scale_invariance_residual,
)
from wdjax.symmetry.symmetries import Symmetries

__all__ = [
    "Checked",
    "Symmetries",
    "assert_gradient_orthogonal",
    "assert_hessian_identity",
    "assert_inverse_scaling",
    "assert_scale_invariant",
    "check",
    "find",
    "hessian_residual",
    "inverse_scaling_residual",
    "orthogonality_residual",
    "register_rule",
    "scale_invariance_residual",
]
