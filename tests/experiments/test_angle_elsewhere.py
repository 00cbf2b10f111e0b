"""The angle per step on a network and settings that no experiment was chosen for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wdjax
from wdjax.data import load_digits, standardise
from wdjax.models import MLP
from wdjax.training import Hyperparameters, classification, train_grid


def optimiser(hyper):
    chosen = wdjax.groups.per_leaf(hidden_kernels)
    tx = wdjax.transforms.sgd_l2(*map(jnp.asarray, hyper), mask=hidden_kernels)
    return wdjax.tracked(tx, chosen)


def hidden_kernels(params):
    return {
        layer: {name: name == "kernel" and layer != "Dense_2" for name in leaves}
        for layer, leaves in params.items()
    }


def noisy_digits():
    """A third of the labels are random, so that there is gradient noise to the end."""
    digits, rng = standardise(load_digits()), np.random.default_rng(0)
    labels = digits.train_labels.copy()
    wrong = rng.random(len(labels)) < 1 / 3
    labels[wrong] = rng.integers(0, 10, wrong.sum())
    return digits._replace(train_labels=labels)


def test_the_prediction_holds_within_two_percent():
    settings = Hyperparameters([0.3, 0.15, 0.5, 0.2], [0.004, 0.01, 0.01, 0.01], [0.5, 0.8, 0, 0.9])
    model = MLP(widths=(64, 64), norm="batch")
    with jax.enable_x64(False):
        _, history = train_grid(
            classification(model, (8, 8, 1), optimiser),
            noisy_digits(),
            settings,
            [7, 8, 9, 10],
            steps=6000,
            chunk=500,
            batch_size=32,
        )
    predicted = np.asarray(wdjax.theory.sgd(*map(np.asarray, settings)).angle)
    for layer in ("Dense_0/kernel", "Dense_1/kernel"):
        late = history.rms["groups"][layer].angle[:, 4:]
        measured = np.sqrt(np.mean(late**2, axis=1))
        assert measured / predicted == pytest.approx(1, abs=0.02)
