"""Measurements that are as the article says, and functions that spoil them."""

import numpy as np

from wdjax.experiments.peculiar_effects.sweep import run as running


def spoilt(arrays, **changes):
    """The arrays with some replaced; the others are copies."""
    return {name: values.copy() for name, values in arrays.items()} | changes


def sweep_arrays():
    decay = np.array(list(running.AS_PUBLISHED))
    test = np.array(list(running.AS_PUBLISHED.values()))
    train = np.where(decay < 0.5, 1.0, 0.0)
    return {
        "weight_decay": decay,
        "seed": np.zeros(8, int),
        "norm_at_end": np.where(decay < 0.9, 130.0 - 100 * decay, 5.0),
        "step": np.arange(1, 4) * 1000,
        "train_accuracy": np.tile(train[:, None], 3),
        "test_accuracy": np.tile(test[:, None], 3),
        "train_at_end": train,
        "test_at_end": test,
        "held_out_at_end": np.minimum(test, 0.4 + test / 2),
    }


def curve_arrays():
    step = 78 * np.arange(1, 386)
    decay = np.array([0.1, 0.0, 0.1, 0.0])
    time = step / 30_000
    fits = step >= 3600
    falling = 55 + 62 * np.exp(-4 * time) * (1 - time)
    norm = np.where(decay[:, None] > 0, 117 - (117 - falling) * (step > 78), 117.0 + 3 * time)
    learnt = 0.02 + 0.96 / (1 + np.exp(-(step - 15_000) / 2000))
    return {
        "weight_decay": decay,
        "seed": np.array([0, 0, 1, 1]),
        "step": step,
        "loss": np.tile(np.where(fits, 1e-4, 0.05), (4, 1)),
        "train_accuracy": np.tile(np.where(fits, 1.0, 0.5), (4, 1)),
        "test_accuracy": np.where(decay[:, None] > 0, learnt, 0.02),
        "norm_sum": norm,
        "squared_norm": norm**2 / 9,
    }


EPOCHS, COLLAPSES = 513, np.arange(180, 500, 30)


def collapse_arrays():
    """Two seeds, with ε = 1e-5 (collapsing at COLLAPSES) and ε = 1e-2."""
    epsilon = np.array([1e-5, 1e-2, 1e-5, 1e-2])
    step = 78 * np.arange(1, EPOCHS + 1)
    bad = np.zeros((4, EPOCHS), bool)
    bad[::2, COLLAPSES] = True
    since = np.arange(EPOCHS) - np.r_[0, COLLAPSES][
        np.searchsorted(COLLAPSES, np.arange(EPOCHS), side="right")
    ]  # fmt: skip
    falling = 100 * np.exp(-0.01 * since)
    early = step < 10_000
    return {
        "epsilon": epsilon,
        "seed": np.array([0, 0, 1, 1]),
        "step": step,
        "test_accuracy": np.where(bad, 0.1, np.where(early, 0.02, 0.95)),
        "train_accuracy": np.where(bad, 0.5, np.where(early, 0.5, 1.0)),
        "loss_peak": np.where(bad, 0.2, 1e-4),
        "gradient_norm": np.where(bad, 10.0, 0.01),
        "train_normalised": np.where(bad, 40.0, 5.0),  # which cannot be, but is the claim
        "test_normalised": np.where(bad, 400.0, 5.0),
        "variance": np.tile(1e-3 * np.exp(-0.16 * np.r_[0, since[:-1] + 1]), (4, 1)),
        "norm_sum": np.tile(falling, (4, 1)),
    }
