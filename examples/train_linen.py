"""Trains a Flax Linen network on digits, and watches what weight decay does to it.

    python examples/train_linen.py

The optimiser state keeps a moving average of the measures, which is written to `run.jsonl`, and at
the end set beside the theory. Needs `wdjax[lab]`.
"""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import wdjax
from wdjax.data import batch_indices, load_digits, random_shift, standardise
from wdjax.tracking import writers

LEARNING_RATE, WEIGHT_DECAY, MOMENTUM = 0.1, 5e-3, 0.9


class Network(nn.Module):
    """Two hidden layers with layer norms: the loss does not see the scale of their kernels."""

    @nn.compact
    def __call__(self, x):
        """Returns logits (batch, 10) of images (batch, 8, 8, 1)."""
        x = x.reshape(len(x), -1)
        for _ in range(2):
            x = nn.relu(nn.LayerNorm()(nn.Dense(64, use_bias=False)(x)))
        return nn.Dense(10)(x)


def loss(params, images, labels):
    """Mean cross-entropy."""
    logits = Network().apply({"params": params}, images)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def main(folder: Path = Path("linen-run"), steps: int = 400):
    """Trains, writes the measures to a file, and returns them beside the theory."""
    digits = standardise(load_digits())
    images, labels = jnp.asarray(digits.train_images), jnp.asarray(digits.train_labels)
    params = Network().init(jax.random.key(0), images[:1])["params"]

    invariant = wdjax.symmetry.find(loss, params, images[:32], labels[:32])
    tx = wdjax.tracked(
        wdjax.transforms.sgd_l2(LEARNING_RATE, WEIGHT_DECAY, MOMENTUM, mask=invariant.mask),
        groups=invariant,
        record=wdjax.tracking.ema(0.99),
    )
    opt_state = tx.init(params)

    @jax.jit
    def step(params, opt_state, number, batch):
        shifted = random_shift(jax.random.key(number), images[batch], most=1)
        value, grads = jax.value_and_grad(loss)(params, shifted, labels[batch])
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    writer = writers.JSONLWriter(folder / "run.jsonl")
    for number, batch in enumerate(batch_indices(0, range(steps), len(images), 64)):
        params, opt_state, value = step(params, opt_state, number, batch)
        if number % 50 == 49:
            writer.write(number, wdjax.metrics(opt_state), loss=value)

    kernels = wdjax.groups.per_leaf(invariant.mask)
    theory = wdjax.theory.sgd(LEARNING_RATE, WEIGHT_DECAY, MOMENTUM)
    return wdjax.tracking.predicted(theory, wdjax.metrics(opt_state), params, kernels)


if __name__ == "__main__":
    print(main())
