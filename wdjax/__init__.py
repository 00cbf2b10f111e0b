"""wdjax: what weight decay really does to a normalised network.

In a network with normalisation layers the loss does not see the scale of most weights. Their
gradient is then orthogonal to them, its size goes as 1/‖w‖, and weight decay sets the *effective
learning rate* η/‖w‖² instead of regularising. The subpackages, from the bottom up:

* `groups`: which leaves, along which axes, share one norm;
* `masks`: which leaves, by name or rank;
* `rates`: the conventions of decoupled decay, each a fraction of the weight removed per step;
* `theory`: equilibrium norm, angle per step, effective learning rate, relaxation time;
* `transforms`: Optax transformations (coupled, decoupled, on the sphere) and chains of them;
* `symmetry`: residuals of the scale-invariance identities, and assertions on them;
* `tracking`: the same quantities measured inside the training step;
* `auditing`: what an optimiser really does to weights, asked of the optimiser itself (`probe`), and
  what a whole training set-up does with its decay (`audit`).

Models, data, training, reports and experiments (`wdjax.models`, `wdjax.data`, `wdjax.training`,
`wdjax.report`, `wdjax.experiments`) come with the extra `wdjax[lab]` and are imported by name.
"""

from typing import TYPE_CHECKING

from wdjax import groups, masks, rates, symmetry, theory, tracking, transforms
from wdjax.lazy import later
from wdjax.tracking import metrics, tracked

if TYPE_CHECKING:
    from wdjax import auditing
    from wdjax.auditing import audit, probe

__getattr__ = later(__name__, {"auditing": "auditing", "audit": "auditing", "probe": "auditing"})

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "audit",
    "auditing",
    "groups",
    "masks",
    "metrics",
    "probe",
    "rates",
    "symmetry",
    "theory",
    "tracked",
    "tracking",
    "transforms",
]
