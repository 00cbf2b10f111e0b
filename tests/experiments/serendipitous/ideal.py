"""Measurements as the article and the theory have them."""

import numpy as np

from wdjax.experiments.serendipitous.flatness import config as flatness_config
from wdjax.experiments.serendipitous.spiral import config as spiral_config
from wdjax.experiments.serendipitous.spiral.pursuit import FOLLOWERS
from wdjax.experiments.serendipitous.two_steps.quadratic import ratio


def spiral_arrays():
    """Runs on a loss with one gradient moment, G = 100."""
    config = spiral_config.Config(steps=4000, chunk=100, pursuit=40, pursuit_chunk=10)
    table = spiral_config.runs(config)
    step = np.arange(100, 4001, 100)
    eta, moment = config.learning_rate, 100.0
    lam, first = table.weight_decay[:, None], 144.0 * table.start[:, None] ** 2
    middle = step - 50
    settled = np.sqrt(eta * moment / np.where(lam > 0, lam * (2 - eta * lam), 1))
    gap = (first**2 - settled**2) * np.exp(-4 * eta * lam * middle)
    free = np.sqrt(first**2 + 2 * eta**2 * moment * middle)
    squared = np.where(lam > 0, np.sqrt(settled**2 + gap), free)
    angle = eta * np.sqrt(moment) / squared
    chased = np.flatnonzero(table.role == "decay")
    product = eta * table.weight_decay[chased]
    shape = (len(chased), 4)
    off = np.full((*shape, len(FOLLOWERS)), 1e-3)
    off[:, :, FOLLOWERS.index("exact") :] = 1e-13
    return {
        **table._asdict(),
        "learning_rate": np.array(eta),
        "momentum": np.array(0.9),
        "step": step,
        "loss": np.ones(squared.shape),
        "squared_norm": squared,
        "gradient_moment": np.full(squared.shape, moment),
        "squared_gradient": moment / squared,
        "angle": angle,
        "squared_angle": angle**2,
        "effective_lr": eta / squared,
        **_scaled(len(table.seed)),
        "chased": chased,
        "follower": np.array(FOLLOWERS),
        "pursuit_step": np.arange(10, 41, 10),
        "pursuit_off": off,
        "pursuit_logits": off.copy(),
        "pursuit_turned": np.full((*shape, 2), 0.3),
        "pursuit_loss": np.ones((*shape, 2 + len(FOLLOWERS))),
        "smooth_off": off[:, :, :2].copy(),
        "smooth_turned": np.full((*shape, 1), 0.3),
        "smooth_loss": np.ones((*shape, 3)),
        "pursuit_bare": np.broadcast_to(np.sqrt(product / 2)[:, None], shape).copy(),
        "pursuit_landed": np.broadcast_to(product[:, None], shape).copy(),
    }


def _scaled(runs):
    factor = 10.0 ** np.arange(-3, 4)
    tiny = np.full((runs, 7), 1e-12)
    return {
        "factor": factor,
        "loss_change": tiny.copy(),
        "logit_change": tiny.copy(),
        "radial": tiny.copy(),
        "gradient_change": tiny.copy(),
        "gradient_ratio": np.broadcast_to(1 / factor, (runs, 7)).copy(),
    }


def two_steps_arrays():
    """Two seeds, two points, three rates, on a loss without curvature and without batch norm."""
    curvature = np.array([0.0, 0.05, 0.5, 1.0, 2.0])
    shape = (2, 2, 8, 3)
    wobble = 1 + 0.01 * np.where(np.arange(8) % 2, 1, -1)[:, None]
    rate = np.broadcast_to(np.array([0.001, 0.004, 0.016]), (2, 2, 3))
    return {
        "point": np.array([0, 1000]),
        "seed": np.array([0, 1]),
        "multiple": np.array([0.0625, 0.25, 1.0]),
        "rate": rate.copy(),
        "loss": np.ones((2, 2)),
        "two": 2 * np.ones(shape) * wobble,
        "one": 4 * np.ones(shape) * wobble[::-1],
        "two_length": np.ones(shape),
        "one_length": np.ones(shape),
        "two_away": np.ones(shape),
        "one_away": np.ones(shape),
        "two_drift": np.ones((2, 2, 3)),
        "one_drift": np.ones((2, 2, 3)),
        "noise": np.ones((2, 2, 8)),
        "bias": np.full((2, 2), 1e-3),
        "bias_noise": np.full((2, 2), 1e-3),
        "full_gradient": np.ones((2, 2)),
        "noise_squared": np.ones((2, 2)),
        "noise_bent": np.zeros((2, 2)),
        "noise_bent_squared": np.zeros((2, 2)),
        "quadratic_curvature": curvature,
        "quadratic_ratio": np.full(5, 2.0),
        "quadratic_error": np.abs(ratio(curvature) - 2) / 3 + 0.01,
    }


def flatness_arrays():
    """Sharpness and test error fall with λ, and the same on the sphere."""
    table = flatness_config.runs(flatness_config.Config())
    decays, seeds = 7, 8
    level = np.tile(np.arange(decays), seeds) + 0.01 * np.repeat(np.arange(seeds), decays)
    level = level + 0.05 * np.random.default_rng(0).normal(size=level.size)
    rate = 1e-3 * 1.5**level
    found = {
        "sharpness": 300 * 0.7**level,
        "trace": 9000 * 0.7**level,
        "rise": 0.9 * 0.8**level,
        "train_loss": 0.01 * 1.1**level,
        "train_error": 0.001 * level,
        "test_loss": 1 - 0.03 * level,
        "test_error": 0.3 - 0.02 * level,
    }
    return {
        **table._asdict(),
        "learning_rate": np.array(0.5),
        "label_noise": np.array(0.2),
        "turn": np.array(0.5),
        "step": np.arange(100, 6001, 100),
        "rate": rate,
        **{
            f"{arm}_{moment}_{name}": values.copy()
            for arm in ("decay", "sphere")
            for moment in ("trained", "cooled")
            for name, values in found.items()
        },
    }
