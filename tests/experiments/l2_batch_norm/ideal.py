"""Measurements as the article has them, for both experiments."""

import numpy as np

from wdjax.experiments.l2_batch_norm.replicated.arms import ARMS, BASELINE, FREE, SCALED, TWIN
from wdjax.experiments.l2_batch_norm.replicated.averages import KINDS
from wdjax.experiments.l2_batch_norm.replicated.config import Config
from wdjax.experiments.l2_batch_norm.replicated.schedules import decay_factors, fitted_knots, hats

SETTINGS = Config(steps=600, chunk=20, seeds=(0, 1, 2, 3))
CHUNKS, SEEDS = 30, 4
FIRST = np.s_[:, :10]


def identities():
    """Two batch sizes, two ε, two scales."""
    at_epsilons = np.broadcast_to(np.array([1e-4, 1e-12])[None, :, None], (2, 2, 2)).copy()
    rounding = np.full((2, 2, 2), 1e-16)
    names = ("logits", "gradient", "direction", "radial", "step", "adam_step", "epsilon_share")
    growth = np.stack([np.linspace(1, 1.2, 11)] * 2)
    return {
        **{f"network {name}": at_epsilons.copy() for name in names},
        "network head": np.full((2, 2, 2), 1.0),
        "network head_radial": np.full((2, 2, 2), 0.02),
        "network statistics": np.zeros((2, 2, 2)),
        "layer statistics": rounding.copy(),
        "layer output": rounding.copy(),
        "layer change": at_epsilons.copy(),
        "layer first order": at_epsilons.copy(),
        "run growth": np.full((2, 5), 1e-3),
        "run outward": np.ones((2, 5)),
        "run rescaled": np.full((2, 2), 1e-12),
        "run sgd_decay": np.full(2, 1e-14),
        "run adam_decay": np.full(2, 100.0),
        "initial sum": 800 + np.array([-3.0, -1.0, 1.0, 3.0]),
        "plain_squares": np.stack([growth, 10 * growth]),
        "plain_scaled": np.stack([np.ones((2, 2)), np.zeros((2, 2))]),
        "scales": np.array([0.5, 4.0]),
        "epsilons": np.array([1e-5, 1e-12]),
        "batch_sizes": np.array([2, 32]),
    }


def replicated():
    """Four arms, four seeds, thirty records."""
    c = decay_factors(SETTINGS)
    ends = np.arange(20, 601, 20)
    jitter = 1 + 0.001 * np.array([-1.0, 1.0, -2.0, 2.0])[:, None]
    initial = np.full(SEEDS, 350.0)
    middles = (np.arange(CHUNKS) + 0.5) / CHUNKS
    base = 350.0 / (hats(middles) @ np.array([1.0, 0.5, 0.4, 0.7, 0.75])) * jitter
    ratio = {BASELINE: 1.0, SCALED: c[ends] ** -2.0, TWIN: c[ends] ** -2.0}
    ratio[FREE] = np.linspace(2, 20, CHUNKS) * 350 / base[0]
    rate = np.repeat([0.04, 0.004, 0.0004], 10)
    steps = dict.fromkeys(ARMS, rate) | {FREE: rate / np.linspace(1.2, 5, CHUNKS)}
    loss = dict.fromkeys(ARMS, np.linspace(1.0, 0.2, CHUNKS))
    loss[FREE] = loss[FREE] * np.linspace(1, 2, CHUNKS)
    squares = np.stack([base * ratio[arm] for arm in ARMS])
    return {
        "arm": np.array(ARMS),
        "statistics": np.array(KINDS),
        "seed": np.arange(SEEDS),
        "step": ends,
        "phase": (ends - 1) // 200,
        "windows": np.array(SETTINGS.windows),
        "momentum": np.asarray(SETTINGS.momentum),
        "weight_decay": np.asarray(SETTINGS.weight_decay),
        "decay_factor": c[ends],
        "decay_per_step": np.asarray(1 - c[200] / c[199]),
        "initial": initial,
        "knots": fitted_knots(base, initial),
        "loss": np.stack([loss[arm] * jitter for arm in ARMS]),
        "squared_norm": squares,
        "relative_step": np.stack([steps[arm] * jitter for arm in ARMS]),
        "angle": np.stack([steps[arm] * jitter for arm in ARMS]),
        "lag": _lag(1 - c[200] / c[199]),
        **_tests(jitter),
    }


def _lag(delta):
    rho = np.array(SETTINGS.windows)
    lag = np.zeros((len(ARMS), SEEDS, CHUNKS, 2))
    for arm in (SCALED, TWIN):
        lag[ARMS.index(arm), :, :10] = np.log((1 - rho) / (1 - rho * (1 - delta) ** 2))
    return lag


def _tests(jitter):
    """Accuracies and test losses, (arms, seeds, chunks, kinds)."""
    accuracy = np.full((len(ARMS), SEEDS, CHUNKS, 3), 0.91)
    accuracy[:, :, :10] = 0.7
    accuracy[ARMS.index(FREE), :, 20:] = 0.895
    for arm in (SCALED, TWIN):
        accuracy[ARMS.index(arm), :, :10] = (0.5, 0.72, 0.7)
    accuracy[ARMS.index(BASELINE), :, :10, 1] = 0.73
    loss = np.full(accuracy.shape, 0.6)
    loss[ARMS.index(FREE)] = 1.1
    return {"accuracy": accuracy * jitter[:, :, None], "test_loss": loss * jitter[:, :, None]}
