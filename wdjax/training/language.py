"""The task of predicting the next token with a Flax model."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from wdjax.tracking import metrics
from wdjax.training.step import Task


def next_token(
    model: nn.Module,
    length: int,
    optimiser: Callable[[Any], optax.GradientTransformation],
) -> Task:
    """Returns the task: mean cross-entropy of what a Linen model says follows each token.

    Args:
      model: Called as `model(tokens)`, it returns logits (batch, length, vocabulary); it keeps
        nothing beside its parameters.
      length: Tokens per example.
      optimiser: `settings -> GradientTransformation`, with `wdjax.tracked` in it.
    """
    example = jnp.zeros((2, length), jnp.int32)

    def init(key: jax.Array):
        return model.init(key, example)["params"], {}

    def loss(params, model_state, tokens, targets):
        logits = jnp.asarray(model.apply({"params": params}, tokens))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return jnp.mean(losses), model_state

    return Task(init, loss, optimiser, lambda key, tokens: tokens, metrics)
