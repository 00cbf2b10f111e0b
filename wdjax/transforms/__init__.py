"""Optax transformations for weight decay in each of its meanings, and chains of them.

| transformation | acts on | place in the chain |
|---|---|---|
| `coupled_l2(strength)` | gradients: g ← g + s w | at the head |
| `decoupled_decay(rate)` | updates: u ← u − ρ_t w | after the learning rate |
| `project_tangent(groups)` | updates: u ← u − w ⟨w, u⟩ / ‖w‖² | before momentum, or after it |
| `retract(groups)` | updates: so that ‖w + u‖ is the norm at init | at the end |

`sgd_l2`, `sgdw`, `adamw` and `spherical_sgd` are chains of these and of Optax's own parts. All of
them keep Optax's sign convention: the new weight is w + u.
"""

from wdjax.transforms.chains import adamw, sgd_l2, sgdw, spherical_sgd
from wdjax.transforms.decay import coupled_l2, decoupled_decay
from wdjax.transforms.sphere import RetractState, project_tangent, retract

__all__ = [
    "RetractState",
    "adamw",
    "coupled_l2",
    "decoupled_decay",
    "project_tangent",
    "retract",
    "sgd_l2",
    "sgdw",
    "spherical_sgd",
]
