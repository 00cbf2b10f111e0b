"""Runs as the article has them: exact identities, one gradient moment, a settled norm."""

import numpy as np

from wdjax import theory
from wdjax.experiments.equilibrium.config import Config, runs

CHUNKS, KERNELS = 16, 3


def ideal_arrays():
    hyper, seeds = runs(Config())
    eta, lam, mu = (np.asarray(values, float) for values in hyper)
    decays = lam > 0
    shape = (len(eta), CHUNKS, KERNELS)
    settled = theory.squared_norm(eta, np.where(decays, lam, 1), mu, gradient_moment=100.0)
    growing = 200 * np.sqrt(np.arange(1, CHUNKS + 1))
    norm = np.where(decays[:, None], np.asarray(settled)[:, None], growing)
    angle = np.asarray(theory.angle_per_step(eta, lam, mu))
    return {
        **hyper._asdict(),
        "seed": seeds,
        "group": np.array(["a/kernel", "b/kernel", "all 3x3 kernels"]),
        "step": np.arange(1, CHUNKS + 1) * 100,
        "loss": np.ones(shape[:2]),
        "test_accuracy": np.ones(len(eta)),
        "squared_norm": np.broadcast_to(norm[:, :, None], shape).copy(),
        "gradient_moment": np.full(shape, 100.0),
        "cosine": np.full(shape, 1e-6),
        "angle": np.broadcast_to(angle[:, None, None], shape).copy(),
        "inverse_scaling_residual": np.full(shape[:2], 1e-5),
    }
