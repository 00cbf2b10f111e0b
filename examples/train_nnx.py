"""Trains a Flax NNX network on digits with `nnx.Optimizer`, and watches each output channel.

    python examples/train_nnx.py

The optimiser state keeps the last 100 steps, which are written to `run.csv`, averaged, and set
beside the theory. Needs `wdjax[lab]`.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import wdjax
from wdjax.data import batch_indices, load_digits, random_shift, standardise
from wdjax.tracking import writers

LEARNING_RATE, WEIGHT_DECAY, MOMENTUM = 0.1, 5e-3, 0.9
LENGTH = 100


class Network(nnx.Module):
    """A hidden layer with a batch norm: the loss does not see the scale of any of its channels."""

    def __init__(self, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(64, 64, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(64, rngs=rngs)
        self.head = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x):
        """Returns logits (batch, 10) of images (batch, 8, 8, 1)."""
        x = self.hidden(x.reshape(len(x), -1))
        return self.head(nnx.relu(self.norm(x)))


def loss(model, images, labels):
    """Mean cross-entropy."""
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


def is_hidden(params):
    """Which leaves are the kernel before the batch norm."""
    return jax.tree.map_with_path(lambda path, _: "hidden" in jax.tree_util.keystr(path), params)


@nnx.jit
def train(model, optimizer, number, images, labels):
    """One step."""
    shifted = random_shift(jax.random.key(number), images, most=1)
    optimizer.update(model, nnx.grad(loss)(model, shifted, labels))


def main(folder: Path = Path("nnx-run"), steps: int = 400):
    """Trains, writes the measures to a file, and returns them beside the theory."""
    digits = standardise(load_digits())
    images, labels = jnp.asarray(digits.train_images), jnp.asarray(digits.train_labels)
    model = Network(nnx.Rngs(0))
    channels = wdjax.groups.per_axis(-1, mask=is_hidden)
    tx = wdjax.tracked(
        wdjax.transforms.sgd_l2(LEARNING_RATE, WEIGHT_DECAY, MOMENTUM, mask=is_hidden),
        groups=channels,
        record=wdjax.tracking.ring(LENGTH),
    )
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    writer = writers.CSVWriter(folder / "run.csv")
    for number, batch in enumerate(batch_indices(0, range(steps), len(images), 64)):
        train(model, optimizer, number, images[batch], labels[batch])
        if number % LENGTH == LENGTH - 1:
            recorded = wdjax.metrics(optimizer.opt_state)
            writer.write_all(wdjax.tracking.steps(optimizer.opt_state), recorded)

    average = wdjax.tracking.average(wdjax.metrics(optimizer.opt_state))
    theory = wdjax.theory.sgd(LEARNING_RATE, WEIGHT_DECAY, MOMENTUM)
    return wdjax.tracking.predicted(theory, average, nnx.state(model, nnx.Param), channels)


if __name__ == "__main__":
    print(main())
