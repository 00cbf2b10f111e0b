"""The general law of decoupled decay, against steps of any correlation written out."""

import numpy as np
import pytest

from wdjax.theory import decoupled


def settle(rho, autocorrelation):
    """E‖w‖² and E‖Δw‖² per E‖u‖² of w ← (1−ρ)w − u, by summing over all pairs of steps."""
    lags = np.arange(1, len(autocorrelation))
    discounted = 1 + 2 * np.sum((1 - rho) ** lags * autocorrelation[1:])
    square = discounted / (1 - (1 - rho) ** 2)
    # E⟨w_t, u_t⟩ = −Σ_k (1−ρ)^(k−1) r_k.
    along = -np.sum((1 - rho) ** (lags - 1) * autocorrelation[1:])
    return discounted, square, 1 + rho**2 * square + 2 * rho * along


@pytest.mark.parametrize("rho", [1e-4, 1e-2, 0.1])
@pytest.mark.parametrize("kind", ["white", "average", "window", "alternating"])
def test_norm_and_angle_for_steps_of_any_correlation(rho, kind):
    lags = np.arange(3000)
    autocorrelation = {
        "white": 0.0**lags,
        "average": 0.9**lags,
        "window": np.maximum(1 - lags / 8, 0),
        "alternating": (-0.5) ** lags,
    }[kind]
    discounted, square, moved = settle(rho, autocorrelation)
    assert decoupled.squared_norm(rho, 3.0, discounted) == pytest.approx(3 * square, rel=1e-9)
    correlation = 2 * np.sum(autocorrelation) - 1
    leading = decoupled.squared_norm(rho, 3.0, correlation)
    # |R − R'| ≤ 2 Σ (1 − (1−ρ)^k) |r_k| ≤ 2ρ Σ k |r_k|.
    most = 2 * rho * np.sum(lags * np.abs(autocorrelation)) / discounted
    assert leading == pytest.approx(3 * square, rel=most + 1e-9)
    exact = decoupled.angle_of_chord(moved / square)
    within = {"white": 1e-9, "average": rho / 4, "window": rho / 2, "alternating": rho}[kind]
    assert decoupled.angle_per_step(rho, correlation) == pytest.approx(float(exact), rel=within)


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9])
def test_the_direction_is_forgotten_in_the_time_predicted_and_a_little_more(factor):
    """What is neglected is known: 1/2 less, and (R² − 1)/(2R) more for a moving average."""
    rho, ages = 1e-3, np.arange(30_000)
    response = np.convolve(factor ** ages[:400], (1 - rho) ** ages)[: len(ages)]
    lags = np.arange(900, 1100)
    cosine = np.array([response[k:] @ response[: len(response) - k] for k in lags])
    forgotten = np.interp(np.exp(-1), (cosine / (response @ response))[::-1], lags[::-1])
    total = (1 + factor) / (1 - factor)
    more = (total**2 - 1) / (2 * total) - 0.5
    assert forgotten == pytest.approx(float(decoupled.memory_steps(rho)) + more, abs=0.2)


def test_leading_orders():
    assert decoupled.angle_per_step(1e-3, 19.0) == pytest.approx(np.sqrt(2e-3 / 19), rel=1e-4)
    assert decoupled.relaxation_steps(1e-3) == pytest.approx(500)
    assert decoupled.memory_steps(1e-3) == pytest.approx(1000)
    assert decoupled.squared_norm(0.0, 1.0) == np.inf


def test_small_angles_keep_their_digits():
    assert decoupled.angle_of_chord(1e-20) == pytest.approx(1e-10, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1.5, 1.0, 1.0), "rate is 1.5; expected at most 1"),
        ((0.1, -1.0, 1.0), "step_moment is -1"),
        ((0.1, 1.0, np.nan), "correlation is nan"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        decoupled.squared_norm(*settings)
