"""Small architectures as plain functions, with the leaves that a person says are invariant.

`ZOO` maps names to entries of `Architecture`; one module per subject fills it.
"""

from tests.symmetry.architectures import (
    attention,
    convolutional,
    libraries,
    losses,
    norms,
    recurrent_and_loops,
    wiring,
)
from tests.symmetry.architectures.parts import (
    EPS,
    ZOO,
    Architecture,
    batch_norm,
    cross_entropy,
    group_norm,
    l2_normalised,
    layer_norm,
    mse,
    rms_norm,
)

__all__ = [
    "EPS",
    "ZOO",
    "Architecture",
    "attention",
    "batch_norm",
    "convolutional",
    "cross_entropy",
    "group_norm",
    "l2_normalised",
    "layer_norm",
    "libraries",
    "losses",
    "mse",
    "norms",
    "recurrent_and_loops",
    "rms_norm",
    "wiring",
]
