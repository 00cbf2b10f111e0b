"""The null model against a loop written out. What the theory says of it is tested there."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax.theory.null_model import simulate


def sgd_on_noise(key, eta, lam, mu, moment, norm, shape, steps, walkers, scales):
    """SGD with coupled L2 and heavy-ball, one walker and one step at a time."""
    start_key, noise_key = jax.random.split(key)
    starts = np.asarray(jax.random.normal(start_key, (walkers, *shape)))
    noise = [jax.random.normal(k, (walkers, *shape)) for k in jax.random.split(noise_key, steps)]
    scales = np.broadcast_to(scales, shape)
    norms, angles, cosines = np.zeros((3, steps, walkers))
    for walker in range(walkers):
        w = starts[walker] * norm / np.sqrt(np.sum(starts[walker] ** 2))
        first, buffer = w, np.zeros(shape)
        for t in range(steps):
            norms[t, walker] = length = np.sqrt(np.sum(w**2))
            cosines[t, walker] = np.sum(w * first) / (length * norm)
            unit = w / length
            z = scales * np.asarray(noise[t][walker])
            # The covariance of the tangent part of the noise, written out as a matrix.
            across = np.eye(w.size) - np.outer(unit, unit)
            covariance = across @ np.diag(scales.ravel() ** 2) @ across
            tangent = (across @ z.ravel()).reshape(shape)
            gradient = np.sqrt(moment / np.trace(covariance)) * tangent / length
            buffer = mu * buffer + gradient + lam * w
            moved = w - eta * buffer
            cosine = np.sum(unit * moved) / np.sqrt(np.sum(moved**2))
            angles[t, walker] = np.arccos(cosine)
            w = moved
    return norms, angles, cosines


def heavy_ball(lr, decay, momentum=None):
    return optax.chain(optax.add_decayed_weights(decay), optax.sgd(lr, momentum))


def test_equal_to_the_loop_written_out():
    shape, scales = (3, 4), np.linspace(0.2, 3.0, 4)
    key = jax.random.key(3)
    walk = simulate(
        key, heavy_ball(0.1, 0.2, 0.8),
        gradient_moment=5.0, norm=1.7, shape=shape, steps=40, walkers=2, scales=scales,
    )  # fmt: skip
    expected = sgd_on_noise(key, 0.1, 0.2, 0.8, 5.0, 1.7, shape, 40, 2, scales)
    for ours, theirs, rtol in zip(walk, expected, (1e-12, 1e-12, 1e-11), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol)


def require_mean(independent, expected, within):
    """Holds a mean to four of its standard errors, which are smaller than `within` of it."""
    error = float(np.std(independent) / np.sqrt(np.size(independent)))
    assert error < within * expected
    assert float(np.mean(independent)) == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("scales", [None, np.geomspace(1.0, 30.0, 64)])
def test_the_gradient_is_tangent_and_has_the_moment_that_was_asked_for(scales):
    walk = simulate(
        jax.random.key(0), optax.scale(1.0),
        gradient_moment=2.0, norm=np.geomspace(0.5, 20.0, 6000), shape=(64,), steps=2,
        walkers=6000, scales=scales,
    )  # fmt: skip
    # A tangent step of length ‖g‖ turns w by arctan(‖g‖/‖w‖) and takes ‖w‖² to ‖w‖² + ‖g‖².
    grown = walk.norm[1] ** 2 - walk.norm[0] ** 2
    np.testing.assert_allclose(walk.norm[0] * np.tan(walk.angle[0]), np.sqrt(grown), rtol=1e-6)
    moment = grown * walk.norm[0] ** 2
    require_mean(moment, 2.0, within=0.01)


def test_what_is_discarded_is_the_start():
    def run(**counts):
        return simulate(jax.random.key(1), optax.sgd(0.3, 0.9), shape=(8,), walkers=3, **counts)

    whole, tail = run(steps=30), run(steps=20, discard=10)
    np.testing.assert_allclose(tail.norm, whole.norm[10:], rtol=1e-12)
    np.testing.assert_allclose(tail.angle, whole.angle[10:], rtol=1e-12)
    np.testing.assert_allclose(tail.cosine[0], 1.0, rtol=1e-15)
    np.testing.assert_allclose(whole.cosine[0], 1.0, rtol=1e-15)
    assert np.all(tail.cosine[-1] > whole.cosine[-1])


def test_a_grid_is_one_program_and_equal_to_single_walks():
    @jax.jit
    def grid(rates, norms):
        def one(lr, norm):
            return simulate(jax.random.key(2), optax.adamw(lr), norm=norm, shape=(8,), steps=9)

        return jax.vmap(one)(rates, norms)

    walks = grid(jnp.array([0.1, 0.01]), jnp.array([1.0, 2.0]))
    single = simulate(jax.random.key(2), optax.adamw(0.01), norm=2.0, shape=(8,), steps=9)
    for ours, theirs in zip(walks, single, strict=True):
        np.testing.assert_allclose(ours[1], theirs, rtol=1e-9)
    assert np.all(walks.norm[0, -1] != walks.norm[1, -1])


def test_numbers_per_walker_and_schedules():
    stop = optax.piecewise_constant_schedule(0.1, {5: 0.0})
    walk = simulate(
        jax.random.key(0), optax.sgd(stop),
        gradient_moment=jnp.array([0.0, 1.0]), norm=jnp.array([1.0, 3.0]), steps=9, walkers=2,
    )  # fmt: skip
    np.testing.assert_allclose(walk.norm[0], [1.0, 3.0], rtol=1e-12)
    np.testing.assert_allclose(walk.norm[:, 0], 1.0, rtol=1e-12)
    assert np.all(walk.angle[:5, 1] > 0.01)
    np.testing.assert_array_equal(walk.norm[5:, 1], walk.norm[5, 1])


def test_a_matrix_optimiser_gets_a_matrix():
    # Muon's steps have all singular values near one: ‖Δw‖² is about the rank, here 8.
    muon = optax.contrib.scale_by_muon(nesterov=False)
    walk = simulate(
        jax.random.key(0), optax.chain(muon, optax.scale(-1e-3)), norm=5.0, shape=(8, 64), steps=3
    )
    assert 5 * walk.angle[1, 0] / 1e-3 == pytest.approx(np.sqrt(8), rel=0.2)


def test_the_equilibrium_of_sgd_is_van_laarhovens():
    # ‖w‖⁴ = ηG/(λ(2 − ηλ)), and E‖w‖² tan² = ηλ(2 − ηλ)/(1 − ηλ)² E‖w‖², for stationarity alone.
    # The direction is forgotten as (1 − ηλ)^k.
    eta, lam, moment = 0.5, 0.1, 4.0
    square = np.sqrt(eta * moment / (lam * (2 - eta * lam)))
    walk = simulate(
        jax.random.key(0), heavy_ball(eta, lam),
        gradient_moment=moment, norm=square**0.5, shape=(512,), steps=1600, discard=100,
        walkers=32,
    )  # fmt: skip
    norms, angles, cosines = map(np.asarray, walk)
    require_mean(np.mean(norms**2, axis=0), square, within=1e-3)
    turned = eta * lam * (2 - eta * lam) / (1 - eta * lam) ** 2
    weighted = np.mean((norms * np.tan(angles)) ** 2, axis=0) / np.mean(norms**2)
    require_mean(weighted, turned, within=1e-3)
    require_mean(cosines[20], (1 - eta * lam) ** 20, within=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tx": 0.1}, "expected an Optax optimiser"),
        ({"norm": -1.0}, "norm is -1"),
        ({"norm": 0.0}, "zero has no direction"),
        ({"norm": np.ones(3)}, "one for each of the 1 walkers"),
        ({"gradient_moment": np.nan}, "gradient_moment is nan"),
        ({"shape": (1,)}, "shape is"),
        ({"steps": 0}, "steps 0"),
        ({"discard": -1}, "discard -1"),
        ({"scales": np.ones(3)}, "one that fits"),
        ({"scales": np.ones((2, 256))}, "one that fits"),
        ({"scales": np.arange(256) < 1}, "fewer than two"),
        ({"scales": -1.0}, "scales is -1"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    tx = settings.pop("tx", optax.sgd(0.1))
    with pytest.raises(ValueError, match=message):
        simulate(jax.random.key(0), tx, **settings)
