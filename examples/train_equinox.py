"""Trains an Equinox network on digits in one compiled loop, and logs while it runs.

    python examples/train_equinox.py

Every tenth step is measured, and a moving average of these handed to a TensorBoard writer out of
the loop. Needs `wdjax[lab]` and `equinox`. To write for TensorBoard, call
`main(SummaryWriter(folder).add_scalar)` with the SummaryWriter of `torch.utils.tensorboard` or
`tensorboardX`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import wdjax
from wdjax.data import batch_indices, load_digits, random_shift, standardise
from wdjax.tracking import writers

LEARNING_RATE, WEIGHT_DECAY = 0.1, 0.05


class Network(eqx.Module):
    """A hidden layer with an RMS norm: the loss does not see the scale of its weight."""

    hidden: eqx.nn.Linear
    norm: eqx.nn.RMSNorm
    head: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.hidden = eqx.nn.Linear(64, 64, use_bias=False, key=first)
        self.norm = eqx.nn.RMSNorm(64)
        self.head = eqx.nn.Linear(64, 10, key=second)

    def __call__(self, image):
        """Returns logits (10,) of an image (8, 8, 1)."""
        return self.head(jax.nn.relu(self.norm(self.hidden(image.reshape(-1)))))


def angles(measures):
    """What is logged: of each group how far a step turns it."""
    return {f"{group}/angle": float(of_group.angle) for group, of_group in measures.items()}


def main(add_scalar=print, steps: int = 800):
    """Trains, logs the angles, and returns the measures beside the theory."""
    digits = standardise(load_digits())
    images, labels = jnp.asarray(digits.train_images), jnp.asarray(digits.train_labels)
    params, static = eqx.partition(Network(jax.random.key(0)), eqx.is_inexact_array)

    def loss(params, images, labels):
        logits = jax.vmap(eqx.combine(params, static))(images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    invariant = wdjax.symmetry.find(loss, params, images[:32], labels[:32])
    tx = wdjax.tracked(
        wdjax.transforms.sgdw(LEARNING_RATE, WEIGHT_DECAY, mask=invariant.mask),
        groups=invariant,
        record=wdjax.tracking.ema(0.9),
        every=10,
    )
    writer = writers.TensorBoardWriter(add_scalar, angles)

    def step(carry, number_and_batch):
        (params, opt_state), (number, batch) = carry, number_and_batch
        shifted = random_shift(jax.random.key(number), images[batch], most=1)
        grads = jax.grad(loss)(params, shifted, labels[batch])
        updates, opt_state = tx.update(grads, opt_state, params)
        return (eqx.apply_updates(params, updates), opt_state), None

    def hundred_steps(carry, batches):
        carry, _ = jax.lax.scan(step, carry, batches)
        number, measures = wdjax.tracking.steps(carry[1]), wdjax.metrics(carry[1])
        jax.debug.callback(writer.write, number, measures, ordered=True)
        return carry, None

    batches = batch_indices(0, range(steps), len(images), 64).reshape(-1, 100, 64)
    numbers = jnp.arange(steps).reshape(-1, 100)
    loop = eqx.filter_jit(lambda carry: jax.lax.scan(hundred_steps, carry, (numbers, batches))[0])
    params, opt_state = loop((params, tx.init(params)))
    jax.effects_barrier()

    weights = wdjax.groups.per_leaf(invariant.mask)
    theory = wdjax.theory.sgdw(LEARNING_RATE, WEIGHT_DECAY)
    return wdjax.tracking.predicted(theory, wdjax.metrics(opt_state), params, weights)


if __name__ == "__main__":
    print(main())
