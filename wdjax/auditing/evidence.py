"""All that an audit measured and proved, before anything is concluded from it."""

import dataclasses
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from wdjax.auditing.report import Probe
from wdjax.symmetry.symmetries import Symmetries
from wdjax.typing import Loss, Params

Role: TypeAlias = Literal[
    "learning_rate", "regulariser", "balancer", "nothing", "not_decayed", "unknown"
]


class Response(NamedTuple):
    """How an optimiser steps on gradients without memory that are orthogonal to the weights.

    Attributes:
      step_moment: E‖Δw‖² at the learning rate and the gradient size at which it was measured.
      degree: k, where steps go as the k-th power of the gradients' size: 1 for SGD, 0 for Adam.
      correlation: R = 1 + 2 Σ_k ρ_k, the autocorrelation of the steps summed over all lags.
    """

    step_moment: float
    degree: float
    correlation: float


@dataclasses.dataclass(frozen=True)
class GroupVerdict:
    """What the decay does to one norm group. Numbers that do not exist are NaN.

    Attributes:
      name: Name of the group.
      leaves: Paths of its leaves.
      axes: The axes of a single leaf along each index of which the loss is blind to the scale.
      role: "learning_rate" (the loss is blind to the group's scale: decay sets how fast its
        direction turns), "regulariser" (the loss sees the scale), "balancer" (the loss is blind to
        a scaling of this leaf against another: decay makes their norms equal), "nothing" (decay
        has no effect on the function or none at all), "not_decayed", "unknown" (it is not
        understood what the optimiser does).
      norm: ‖w‖ now, of the whole leaf or of all leaves together; where `axes` are given and some
        indices have no gradient, of those that have one.
      gradient_moment: G = ‖w‖²‖g‖² now.
      rate: The fraction of w that is removed per step in the long run, at the largest learning
        rate of the schedule; of several leaves the mean, weighted by ‖w‖² (of a balancer, over
        those that decay).
      equilibrium_norm: ‖w‖ at equilibrium, at the largest learning rate and for the present G.
      angle: Root-mean-square angle per step at equilibrium, in radians.
      relaxation_steps: Steps in which a small deviation from the equilibrium falls to 1/e, at the
        largest learning rate; of a balancer, those in which the difference of squared norms does.
      effective_lr: The effective learning rate at the present norm and the largest learning rate:
        η/‖w‖² where steps go with the gradient, ‖Δw‖ = η‖g‖ being the first step from rest; where
        steps are normalised η/‖w‖, η being the step of an entry along a lasting gradient.
      settled_effective_lr: The same at equilibrium; without decay, at the end of the run.
      note: More in words.
      settling_steps: Steps from the present norm to within 10% of the equilibrium, at the largest
        learning rate.
      effective_steps: The run's steps, each counted as its learning rate relative to the largest;
        all of them where the decay does not follow the schedule.
    """

    name: str
    leaves: tuple[str, ...]
    axes: tuple[int, ...]
    role: Role
    norm: float
    gradient_moment: float
    rate: float
    equilibrium_norm: float
    angle: float
    relaxation_steps: float
    effective_lr: float
    settled_effective_lr: float
    note: str = ""
    settling_steps: float = float("nan")
    effective_steps: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What the audit of one set-up has seen.

    Attributes:
      loss: The loss, called as `loss(params, *args)`.
      params: The parameters.
      args: The batch.
      steps: How many training steps will be run.
      symmetries: What scalings the loss does not see.
      probe: What the optimiser does to each leaf.
      gradients: The gradient at the parameters, per path of a floating-point leaf.
      responses: Per path, how the leaf steps on noise; only where that is known.
      verdicts: What the decay does to each norm group.
    """

    loss: Loss
    params: Params
    args: tuple[Any, ...]
    steps: int
    symmetries: Symmetries
    probe: Probe
    gradients: dict[str, np.ndarray]
    responses: dict[str, Response]
    verdicts: tuple[GroupVerdict, ...]
