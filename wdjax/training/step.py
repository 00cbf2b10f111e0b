"""What is trained, and the pure step that trains it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from jax.typing import ArrayLike

from wdjax.typing import Params, PyTree


class Hyperparameters(NamedTuple):
    """The settings of one run as scalars, or of a grid of runs as arrays of shape (runs,).

    Attributes:
      learning_rate: η.
      weight_decay: λ, in PyTorch's sense.
      momentum: μ.
    """

    learning_rate: ArrayLike
    weight_decay: ArrayLike
    momentum: ArrayLike


class TrainState(NamedTuple):
    """Everything that one run carries from step to step.

    Attributes:
      params: The weights.
      model_state: What the model keeps beside them, such as running averages.
      opt_state: State of the optimiser.
      key: Random key of the run; each step folds its number into it.
    """

    params: Params
    model_state: PyTree
    opt_state: optax.OptState
    key: jax.Array


class Task(NamedTuple):
    """A problem to be trained on, as pure functions.

    Attributes:
      init: `key -> (params, model_state)`.
      loss: `(params, model_state, images, labels) -> (scalar, new model_state)`.
      optimiser: `settings -> GradientTransformation`; its settings are `Hyperparameters`, or what
        else an experiment varies. They may be traced, so that different runs are one program.
      augment: `(key, images) -> images`.
      measure: `opt_state -> tree of arrays`: what to record of each step.
    """

    init: Callable[[jax.Array], tuple[Params, PyTree]]
    loss: Callable[..., tuple[jax.Array, PyTree]]
    optimiser: Callable[[Any], optax.GradientTransformation]
    augment: Callable[[jax.Array, jax.Array], jax.Array]
    measure: Callable[[Any], PyTree]


def init_state(task: Task, hyper: Any, seed: ArrayLike) -> TrainState:
    """Returns the state before the first step of one run."""
    init_key, run_key = jax.random.split(jax.random.key(seed))
    params, model_state = task.init(init_key)
    opt_state = task.optimiser(hyper).init(params)
    return TrainState(params, model_state, opt_state, run_key)


def train_step(
    task: Task,
    hyper: Any,
    state: TrainState,
    step: ArrayLike,
    images: jax.Array,
    labels: jax.Array,
) -> tuple[TrainState, dict[str, PyTree]]:
    """One step of SGD-like training on one batch; pure, for jit, scan, vmap and shard_map.

    Args:
      task: What is trained.
      hyper: The settings of this run, as `task.optimiser` takes them.
      state: The state before the step.
      step: Number of the step, from 0; augmentation is a function of the run's key and of it.
      images: (batch, height, width, channels) before augmentation, or what else the loss takes.
      labels: (batch,), or what else the loss takes.

    Returns:
      The state after the step, and `{"loss": ..., "groups": task.measure(opt_state)}`.
    """
    images = task.augment(jax.random.fold_in(state.key, step), images)
    gradient = jax.value_and_grad(task.loss, has_aux=True)
    (loss, model_state), grads = gradient(state.params, state.model_state, images, labels)
    tx = optax.with_extra_args_support(task.optimiser(hyper))
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    measures = {"loss": loss, "groups": task.measure(opt_state)}
    return TrainState(params, model_state, opt_state, state.key), measures
