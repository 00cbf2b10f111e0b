"""Runs as the article has them: exact identities, one gradient moment, a settled norm."""

import numpy as np

from wdjax import theory
from wdjax.experiments.equilibrium.claims import claimed_angle
from wdjax.experiments.equilibrium.config import JOINT, Config, runs

CHUNKS, KERNELS = 16, 3


def ideal_arrays():
    hyper, seeds, roles = runs(Config())
    eta, lam, mu = (np.asarray(values, float) for values in hyper)
    decays = lam > 0
    shape = (len(eta), CHUNKS, KERNELS)
    settled = theory.sgd(eta, np.where(decays, lam, 1), mu).squared_norm(gradient_moment=100.0)
    per_step = theory.coupled_sgd.growth_without_decay(0.1, 0.9, gradient_moment=100.0)
    growing = np.sqrt(200.0**2 + float(per_step) * 100 * np.arange(CHUNKS))
    norm = np.where(decays[:, None], np.asarray(settled)[:, None], growing)
    angle = claimed_angle(eta, lam, mu)
    return {
        **hyper._asdict(),
        "seed": seeds,
        "role": roles,
        "group": np.array(["a/kernel", "b/kernel", JOINT]),
        "step": np.arange(1, CHUNKS + 1) * 100,
        "loss": np.ones(shape[:2]),
        "test_accuracy": np.ones(len(eta)),
        "squared_norm": np.broadcast_to(norm[:, :, None], shape).copy(),
        "gradient_moment": np.full(shape, 100.0),
        "cosine": np.full(shape, 1e-6),
        "angle": np.broadcast_to(angle[:, None, None], shape).copy(),
        "inverse_scaling_residual": np.full(shape[:2], 1e-5),
    }
