import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from wdjax.theory.curvature import sphere_curvature

RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 2))
PARAMS = {
    "first": RNG.normal(size=(5, 6)),
    "second": RNG.normal(size=(6, 4)),
    "readout": RNG.normal(size=(4, 2)),
    "steps": jnp.arange(3),
}
BLIND = ("first", "second")


def normalise(z):
    return (z - z.mean(0)) / z.std(0)


def loss(params, inputs):
    x = jnp.tanh(normalise(inputs @ params["first"]))
    out = jnp.tanh(normalise(x @ params["second"])) @ params["readout"]
    return jnp.mean((out - TARGETS) ** 2)


def dense(params, chosen):
    """‖w‖² times the largest eigenvalue of the whole Hessian between two projections."""
    w, unravel = ravel_pytree({name: params[name] for name in chosen})
    hessian = jax.jit(jax.hessian(lambda w: loss(params | unravel(w), INPUTS)))(w)
    across = jnp.eye(w.size) - jnp.outer(w, w) / jnp.sum(w**2)
    return jnp.sum(w**2) * jnp.linalg.eigvalsh(across @ hessian @ across)[-1]


def test_equal_to_the_dense_hessian_at_every_scale_of_the_weights():
    @jax.jit
    @jax.vmap
    def scaled(factor):
        params = PARAMS | {name: factor * PARAMS[name] for name in BLIND}
        mask = {name: name in BLIND for name in PARAMS}
        exact, rough = (
            sphere_curvature(loss, params, INPUTS, mask=mask, iterations=n) for n in (40, 4)
        )
        return exact, rough, dense(params, BLIND)

    exact, rough, expected = scaled(jnp.array([1.0, 0.1, 30.0]))
    np.testing.assert_allclose(exact, expected, rtol=1e-6)
    np.testing.assert_allclose(expected, expected[0], rtol=1e-9)
    assert np.all((0.5 * expected < rough) & (rough < expected))


def test_a_part_of_the_leaves():
    part = sphere_curvature(loss, PARAMS, INPUTS, mask=lambda p: {n: n == "second" for n in p})
    assert float(part) == pytest.approx(float(dense(PARAMS, ("second",))))


def test_at_a_minimum_it_is_the_curvature_of_the_loss_itself():
    sharp = np.array([0.0, 1.0, 3.0, 3.0, 0.5])

    def valley(w):  # the least on the first axis
        return jnp.sum(sharp * w**2) / jnp.sum(w**2), "something else"

    w = 0.2 * np.eye(5)[0]
    eigenvalues = np.linalg.eigvalsh(jax.jit(jax.hessian(lambda w: valley(w)[0]))(w))
    h = float(jax.jit(lambda w: sphere_curvature(valley, w))(w))
    assert h == pytest.approx(0.04 * eigenvalues[-1])
    assert h == pytest.approx(6.0)


def test_few_different_eigenvalues_and_none_that_is_positive():
    # Lanczos comes to its end after as many steps as there are different ones.
    def peak(w):
        return 3.0 * w[0] ** 2 / jnp.sum(w**2)

    assert float(sphere_curvature(peak, np.eye(50)[0])) == pytest.approx(-6.0)
    assert float(sphere_curvature(lambda w: 0.0 * jnp.sum(w), np.ones(50))) == 0.0


def test_low_precision_is_widened():
    with jax.enable_x64(False):
        w = jnp.array([1.0, 0.0, 0.0], jnp.bfloat16)
        h = sphere_curvature(lambda w: w[1] ** 2 / jnp.sum(w**2), w)
        assert h.dtype == jnp.float32
        assert float(h) == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 0}, "iterations is 0"),
        ({"mask": {"first": False}}, "does not fit"),
        ({"mask": lambda p: dict.fromkeys(p, False)}, "chooses no"),
    ],
)
def test_bad_input_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        sphere_curvature(loss, PARAMS, INPUTS, **settings)
    with pytest.raises(ValueError, match="1 entries"):
        sphere_curvature(jnp.sum, np.ones(1))
