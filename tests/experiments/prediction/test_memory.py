import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax import groups
from wdjax.experiments.prediction.memory import gradient_memory, products

KERNEL = groups.per_leaf({"kernel": True, "bias": False})


def test_the_sum_over_lags_of_a_literal_loop():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 4))
    params = {"kernel": jnp.ones(4), "bias": jnp.zeros(2)}
    tx = optax.chain(optax.scale(1.0), gradient_memory(0.7, KERNEL), optax.sgd(0.1))
    state, step = tx.init(params), jax.jit(tx.update)
    for t, gradient in enumerate(gradients):
        updates, state = step({"kernel": jnp.asarray(gradient), "bias": jnp.ones(2)}, state, params)
        expected = sum(0.7 ** (k - 1) * gradient @ gradients[t - k] for k in range(1, t + 1))
        assert products(state)["kernel"] == pytest.approx(expected, abs=1e-12)
        np.testing.assert_allclose(updates["kernel"], -0.1 * gradient, rtol=1e-12)
    assert list(products(state)) == ["kernel"]
