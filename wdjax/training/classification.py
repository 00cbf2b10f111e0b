"""The task of classifying images with a Flax model."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from wdjax.data import random_shift
from wdjax.tracking import metrics
from wdjax.training.step import Task, TrainState


def classification(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    optimiser: Callable[[Any], optax.GradientTransformation],
    *,
    shift: int = 0,
) -> Task:
    """Returns the task: mean cross-entropy of a Linen model on randomly shifted images.

    Args:
      model: Called as `model(images, train=...)`, it returns logits; its collections beside
        "params" are carried as model state.
      image_shape: (height, width, channels).
      optimiser: `settings -> GradientTransformation`, with `wdjax.tracked` in it.
      shift: Largest random shift of the training images, in pixels.
    """
    example = jnp.zeros((2, *image_shape), jnp.float32)

    def init(key: jax.Array):
        variables = dict(model.init(key, example, train=True))
        return variables.pop("params"), variables

    def loss(params, model_state, images, labels):
        logits, new_state = model.apply(
            {"params": params, **model_state}, images, train=True, mutable=list(model_state)
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), labels)
        return jnp.mean(losses), dict(new_state)

    return Task(init, loss, optimiser, partial(random_shift, most=shift), metrics)


def predictions(model: nn.Module, states: TrainState, images: jax.Array) -> jax.Array:
    """Returns the classes (runs, images) that a grid of trained runs predicts, in eval mode."""

    @jax.jit
    @partial(jax.vmap, in_axes=(0, 0, None))
    def predict(params, model_state, batch):
        logits = model.apply({"params": params, **model_state}, batch, train=False)
        return jnp.argmax(jnp.asarray(logits), axis=-1)

    # Batches of one size, so that it is compiled once.
    size = max(size for size in range(1, 129) if len(images) % size == 0)
    batches = images.reshape(-1, size, *images.shape[1:])
    found = [predict(states.params, states.model_state, batch) for batch in batches]
    return jnp.concatenate(found, axis=1)
