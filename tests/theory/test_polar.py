import jax
import numpy as np
import optax
import optax.contrib
import pytest

from tests.theory.normalised_walks import require_equilibrium, walks
from wdjax.theory import polar
from wdjax.theory.correlation import total

STANDARD = (3.4445, -4.7750, 2.0315)
CONVERGENT = (15 / 8, -10 / 8, 3 / 8)  # with these 12 iterations are the polar factor


def singular_values(rng, small, large, count):
    x = rng.normal(size=(count, small, large)) / np.sqrt(large)
    return np.linalg.svd(x, compute_uv=False)


def polar_factors(x):
    u, _, v = np.linalg.svd(x, full_matrices=False)
    return u @ v


@pytest.mark.parametrize(("small", "large"), [(32, 32), (16, 32), (8, 32)])
def test_polar_factors_of_gaussian_matrices_correlate_as_theory_says(small, large):
    rng = np.random.default_rng(0)
    x, other = rng.normal(size=(2, 50, small, large))
    for correlation in (0.3, 0.7, 0.95):
        y = correlation * x + np.sqrt(1 - correlation**2) * other
        products = np.sum(polar_factors(x) * polar_factors(y), axis=(1, 2)) / small
        error = np.std(products) / np.sqrt(len(products))
        expected = float(polar.polar_correlation(correlation, aspect=large / small))
        # Finite matrices: up to 0.25/r below.
        assert np.mean(products) == pytest.approx(expected, abs=4 * error + 0.25 / small)
        assert abs(expected - correlation) > (0.004 if small == 8 else 0.015)


def test_square_matrices_have_the_weights_in_closed_form():
    weights, moment = polar.spectral_weights()
    k = 2 * np.arange(polar.TERMS) + 1.0
    np.testing.assert_allclose(weights, 16 / np.pi**2 * ((k + 1) / (k * (k + 2))) ** 2, rtol=1e-9)
    assert moment == pytest.approx(1.0)


def test_weights_sum_to_one_and_the_linear_limit_has_one_only():
    aspects = np.array([1.0, 1.001, 1.5, 4.0, np.inf])
    weights, moments = polar.spectral_weights(aspects)
    # 64 terms of the slowest series, that of square matrices, leave 0.8/128 out.
    np.testing.assert_allclose(np.sum(weights, axis=-1), [1, 1, 1, 1, 1], atol=0.0064)
    np.testing.assert_allclose(np.sum(weights, axis=-1)[2:], 1.0, rtol=1e-9)
    np.testing.assert_allclose(moments, 1.0, rtol=1e-6)
    np.testing.assert_allclose(weights[-1], np.arange(polar.TERMS) == 0, atol=1e-12)


def test_the_table_of_the_docstring():
    aspects = np.array([1.0, 2.0, 4.0, 16.0, np.inf])
    for nesterov, expected in (
        (False, [30.4, 35.4, 37.3, 38.6, 39.0]),
        (True, [25.0, 29.5, 31.3, 32.5, 32.9]),
    ):
        lags = polar.muon(0.1, 0.0, 0.95, nesterov, aspect=aspects).lags
        np.testing.assert_allclose(total(lags), expected, atol=0.051)


@pytest.mark.parametrize(("small", "large"), [(16, 16), (16, 64), (64, 64)])
def test_the_moment_of_newton_schulz_is_that_of_its_singular_values(small, large):
    s = singular_values(np.random.default_rng(0), small, large, 200)
    response = polar.newton_schulz(small)
    _, moment = polar.spectral_weights(large / small, response)
    # Matrices are divided by their own norm, which is √(mn) to a fraction 1/√(2mn).
    x = s * np.sqrt(small) / np.linalg.norm(s, axis=1, keepdims=True)
    measured = np.mean(np.square(response(jax.numpy.asarray(x))))
    assert moment == pytest.approx(measured, rel=0.5 / small)


@pytest.mark.parametrize(
    ("shape", "nesterov", "coefficients"),
    [((16, 16), True, CONVERGENT), ((8, 32), False, STANDARD)],
)
def test_muon_settles_where_theory_says(shape, nesterov, coefficients):
    rank, aspect = min(shape), max(shape) / min(shape)
    exact = coefficients == CONVERGENT
    response = polar.polar_factor if exact else polar.newton_schulz(rank, coefficients)
    lr, rates = 0.02, np.array([1e-2, 5e-2])
    settled = polar.muon(
        lr, rates / lr, 0.95, nesterov, aspect=aspect, scale=1.5, response=response
    )

    def optimiser(rate):
        return optax.chain(
            optax.contrib.scale_by_muon(
                ns_coeffs=coefficients, ns_steps=12 if exact else 5, beta=0.95, nesterov=nesterov
            ),
            optax.scale(1.5),
            optax.add_decayed_weights(rate / lr),
            optax.scale_by_learning_rate(lr),
        )

    squared = settled.squared_norm(rank=rank)
    walk = walks(optimiser, {"rate": rates}, np.sqrt(squared), shape=shape,
                 steps=600, discard=300)  # fmt: skip
    # Corrections for finite matrices go as 1/r.
    require_equilibrium(walk, squared, settled.angle,
                        norm_bias=0.3 / rank, angle_bias=0.4 / rank, most=0.012)  # fmt: skip
    # The linear R would be off by much more.
    linear = polar.muon(lr, rates / lr, 0.95, nesterov, aspect=np.inf, response=response)
    assert np.all(linear.correlation / settled.correlation > (1.2 if aspect == 1 else 1.03))


def test_scale_and_rank_are_what_optax_makes_of_the_shape():
    m, n, rms = 32, 8, 0.2
    scaled = polar.muon(0.1, 0.1, scale=np.sqrt(max(m, n)) * rms, aspect=4.0)
    assert scaled.step_moment(rank=min(m, n)) == pytest.approx(0.01 * m * n * rms**2)
    tx = optax.contrib.muon(0.1, CONVERGENT, 14, consistent_rms=rms)
    matrix = jax.numpy.asarray(np.random.default_rng(0).normal(size=(m, n)))
    updates, _ = jax.jit(tx.update)(matrix, tx.init(matrix), matrix)
    assert np.sum(np.square(updates)) == pytest.approx(0.01 * m * n * rms**2, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: polar.muon(0.1, 0.1, aspect=0.5), "aspect is 0.5"),
        (lambda: polar.muon(0.1, 0.1, aspect=np.nan), "aspect is nan"),
        (lambda: polar.muon(0.1, 0.1, scale=-1.0), "scale is -1"),
        (lambda: polar.newton_schulz(0), "rank is 0"),
        (lambda: polar.newton_schulz(4, (1.0, 2.0)), "three coefficients"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
