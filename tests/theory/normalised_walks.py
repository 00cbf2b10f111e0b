"""Optimisers with normalised steps on the null model, a grid of settings in one program."""

import jax
import jax.numpy as jnp
import numpy as np

from wdjax.theory.null_model import simulate

MOMENT = 4.0
SIZE = 256


def walks(optimiser, settings, norm, *, steps, discard=0, shape=(SIZE,), walkers=8, scales=None):
    """Walks of `optimiser(**setting)` for each setting of {name: (n,)}, from norms (n,).

    Each is (n, steps, walkers), with the same random numbers for every setting. In float32, whose
    rounding is far below the noise, it takes half the time.
    """

    def one(setting, start):
        return simulate(
            jax.random.key(0), optimiser(**setting), gradient_moment=MOMENT, norm=start,
            shape=shape, steps=steps, discard=discard, walkers=walkers, scales=scales,
        )  # fmt: skip

    with jax.enable_x64(False):
        arrays = {name: jnp.asarray(values, float) for name, values in settings.items()}
        walk = jax.jit(jax.vmap(one))(arrays, jnp.asarray(norm, float))
    return jax.tree.map(lambda x: np.asarray(x, float), walk)


def deviation(values, predicted):
    """Relative error of the mean of values (n, steps, walkers), and its standard error.

    Walkers are independent, steps are not: the standard error is that of the walkers' means.
    """
    means = values.mean(axis=1) / np.asarray(predicted, float)[:, None]
    return means.mean(axis=1) - 1, means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])


def require_equilibrium(walk, squared_norm, angle, *, norm_bias=0.0, angle_bias=0.0, most=0.02):
    """Holds the means of ‖w‖² and of the squared angle to predictions of shape (n,).

    The tolerance is 4 standard errors, none of which may be above `most`; the relative variance of
    ‖w‖², since the theory takes 1/E‖w‖² for E(1/‖w‖²), of order 2/d; and what the theory itself
    states of its error, relative, in ‖w‖² and in the squared angle.
    """
    squared, predicted = walk.norm**2, np.asarray(squared_norm)
    fluctuation = squared.var(axis=(1, 2)) / predicted**2
    pairs = (squared, predicted, norm_bias), (walk.angle**2, np.asarray(angle) ** 2, angle_bias)
    for values, expected, bias in pairs:
        off, error = deviation(values, expected)
        assert np.all(error < most), error
        np.testing.assert_array_less(np.abs(off), 4 * error + fluctuation + bias)
