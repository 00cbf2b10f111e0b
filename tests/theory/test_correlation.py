import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wdjax.theory import correlation

AVERAGES = [(0.0, 0.0), (0.0, 0.9), (0.9, 0.0), (0.5, 0.5), (0.9, 0.9), (0.9, 0.99), (0.95, 0.98),
            (0.9025, 0.95), (0.99, 0.99), (0.999, 0.999)]  # fmt: skip
B1, B2 = np.array(AVERAGES).T
RETENTIONS = [0.0, 0.9, 0.999, 1.0]


def weights_of_gradients(b1, b2, length=40_000):
    """What x_t = β₁ m_{t−1} + (1−β₁) g_t weighs g_t, g_{t−1}, ... by, run literally."""
    weights, m = np.zeros(length), 0.0
    for k in range(length):
        g = 1.0 if k == 0 else 0.0
        weights[k] = b1 * m + (1 - b1) * g
        m = b2 * m + (1 - b2) * g
    return weights


def autocorrelation(b1, b2, lags=20_000):
    weights = weights_of_gradients(b1, b2)
    spectrum = np.abs(np.fft.rfft(weights, 2 * len(weights))) ** 2
    covariance = np.fft.irfft(spectrum)[: lags + 1]
    return covariance[0], covariance[1:] / covariance[0]


@pytest.fixture(scope="module")
def autocorrelations():
    return [autocorrelation(b1, b2) for b1, b2 in AVERAGES]


def lag_sum(correlations, retention):
    return np.sum(retention ** np.arange(len(correlations)) * correlations)


def test_moment_and_first_lag_are_those_of_the_average(autocorrelations):
    moments, lags = zip(*autocorrelations, strict=True)
    np.testing.assert_allclose(correlation.average_moment(B1, B2), moments, rtol=1e-9)
    np.testing.assert_allclose(correlation.first_lag(B1, B2), [r[0] for r in lags], atol=1e-9)


@pytest.mark.parametrize("retention", RETENTIONS)
def test_lag_sums_are_the_sums_over_lags(retention, autocorrelations):
    lags = [r for _, r in autocorrelations]
    linear = [lag_sum(r, retention) for r in lags]
    np.testing.assert_allclose(
        correlation.linear_lags(B1, B2, retention), linear, rtol=1e-8, atol=1e-12
    )
    signs = [lag_sum(2 / np.pi * np.arcsin(r), retention) for r in lags]
    # At ρ_1 = 0.999 the terms that are left out come to 0.006 of T, at 0.99 to 1e-7.
    left_out = np.where(B1 > 0.995, 0.006, 1e-6)
    off = np.abs(correlation.sign_lags(B1, B2, retention) - np.array(signs))
    np.testing.assert_array_less(off, left_out + 1e-8 * np.array(signs))


def test_the_sum_for_lion_is_that_of_the_literature():
    found = correlation.total(correlation.sign_lags(*np.array([(0.9, 0.99), (0.95, 0.98)]).T))
    np.testing.assert_allclose(found, [45.93, 58.08], atol=0.005)


def test_nesterov_is_a_look_ahead_along_the_average():
    beta = 0.95
    averages = weights_of_gradients(beta, beta, 200)
    looked = beta * averages + (1 - beta) * (np.arange(200) == 0)
    np.testing.assert_allclose(weights_of_gradients(*correlation.nesterov(beta), 200), looked)


def test_signs_of_a_gaussian_average_correlate_by_the_arcsine_law():
    rng = np.random.default_rng(0)
    weights = weights_of_gradients(0.9, 0.99, 600)
    noise = rng.normal(size=(2000, 700))
    spectrum = np.fft.rfft(noise, 2048) * np.fft.rfft(weights, 2048)
    x = np.fft.irfft(spectrum)[:, 599:700]
    measured = np.mean(np.sign(x[:, :1]) * np.sign(x), axis=0)[1:]
    expected = 2 / np.pi * np.arcsin(autocorrelation(0.9, 0.99, 100)[1])
    # Each mean of 2000 signs has the standard error 0.022, and near lags err alike.
    np.testing.assert_allclose(measured, expected, atol=4 * 0.0224)
    assert np.sum(measured) == pytest.approx(np.sum(expected), rel=0.15)


def test_lag_sums_broadcast_and_are_differentiated():
    b1, b2, kept = jnp.array([0.0, 0.9]), jnp.array([[0.9], [0.99], [0.0]]), 0.99
    sums = jax.jit(correlation.sign_lags)
    table = sums(b1, b2, kept)
    assert table.shape == (3, 2)
    mapped = jax.vmap(lambda b: sums(b1, b, kept))(b2[:, 0])
    np.testing.assert_allclose(table, mapped, rtol=1e-12)
    slope = jax.jit(jax.grad(correlation.sign_lags, argnums=(0, 1, 2)))
    point, step = np.array([0.9, 0.99, 0.99]), 1e-6 * np.eye(3)
    numeric = (sums(*(point + step).T) - sums(*(point - step).T)) / 2e-6
    np.testing.assert_allclose(slope(*point), numeric, rtol=1e-5)
    assert np.all(np.isfinite(slope(0.0, 0.0, 1.0)))
