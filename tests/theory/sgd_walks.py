"""SGD of every kind on the null model, a grid of settings in one program."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax.theory.null_model import simulate

MOMENT = 4.0


def sgd(eta, mu=0.0, *, coupled=0.0, rho=0.0, tau=0.0, nesterov=False):
    """SGD with coupled L2 of strength `coupled`, and decoupled decay at the rate ρ."""
    return optax.chain(
        optax.add_decayed_weights(coupled),
        optax.scale(1 - tau),
        optax.trace(mu, nesterov),
        optax.scale(-eta),
        optax.add_decayed_weights(-rho),
    )


def walks(optimiser, settings, norm, *, steps, discard=0, dimension=128, walkers=16):
    """Walks of `optimiser(**setting)` for each setting of {name: (n,)}, from norms (n,).

    Each is (n, steps, walkers), with the same random numbers for every setting.
    """

    def one(setting, start):
        return simulate(
            jax.random.key(0), optimiser(**setting),
            gradient_moment=MOMENT, norm=start, shape=(dimension, 1), steps=steps, discard=discard,
            walkers=walkers,
        )  # fmt: skip

    # In float32, whose rounding is far below the noise, it takes half the time.
    with jax.enable_x64(False):
        arrays = {name: jnp.asarray(values, float) for name, values in settings.items()}
        walk = jax.jit(jax.vmap(one))(arrays, jnp.asarray(norm, float))
    return jax.tree.map(lambda x: np.asarray(x, float), walk)


def errors(values, predicted):
    """Relative error of the mean of values (n, steps, walkers), and its standard error.

    Walkers are independent, steps are not: the standard error is that of the walkers' means.
    """
    means = values.mean(axis=1) / np.asarray(predicted)[:, None]
    return means.mean(axis=1) - 1, means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])


def require_equilibrium(walk, theory, most=2e-3):
    """Holds the mean of ‖w‖² and of the squared angle to the prediction.

    The tolerance is 4.5 standard errors, which no more than `most` of them may be, and the relative
    variance of ‖w‖². The theory takes 1/E‖w‖² for E(1/‖w‖²), and this is by how much they differ;
    it is of order ηλ/d, and vanishes for a group of many entries.
    """
    squared = walk.norm**2
    predicted = np.asarray(theory.squared_norm(gradient_moment=MOMENT))
    fluctuation = squared.var(axis=(1, 2)) / predicted**2
    for values, expected in ((squared, predicted), (walk.angle**2, np.asarray(theory.angle) ** 2)):
        off, error = errors(values, np.broadcast_to(expected, predicted.shape))
        assert np.all(error < most), error
        np.testing.assert_array_less(np.abs(off), 4.5 * error + fluctuation)


def grid(*columns):
    """The columns of all combinations: (values of a, values of b) to two arrays."""
    return [column.ravel() for column in np.meshgrid(*columns, indexing="ij")]
