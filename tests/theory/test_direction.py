import numpy as np
import pytest

from wdjax import theory


def unit(x):
    return x / np.linalg.norm(x)


def test_a_step_moves_the_direction_at_exactly_the_effective_rate():
    rng = np.random.default_rng(0)
    w, gradient = 3 * rng.normal(size=(2, 5))
    eta, rho = 0.7, 0.2
    moved = unit((1 - rho) * w - eta * gradient)
    norm = np.linalg.norm(w)
    # The gradient on the unit sphere is ‖w‖ times the gradient at w.
    rate = theory.effective_learning_rate(eta, norm**2, rate=rho)
    np.testing.assert_allclose(moved, unit(unit(w) - rate * norm * gradient), rtol=1e-12)
    rate = theory.effective_normalised_rate(eta, norm, rate=rho)
    np.testing.assert_allclose(moved, unit(unit(w) - rate * gradient), rtol=1e-12)


def test_without_the_rate_it_is_the_quotient_of_the_articles():
    assert theory.effective_learning_rate(0.1, 4.0) == pytest.approx(0.1 / 4)
    assert theory.effective_normalised_rate(0.1, 4.0) == pytest.approx(0.1 / 4)
    exact = theory.effective_learning_rate(0.1, 4.0, rate=0.01)
    assert 0.1 / 4 / exact == pytest.approx(1 - 0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((-0.1, 1.0, 0.0), "learning_rate is -0.1"),
        ((0.1, -1.0, 0.0), "norm is -1"),
        ((0.1, 1.0, 1.5), "rate is 1.5; expected at most 1"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    for formula in (theory.effective_learning_rate, theory.effective_normalised_rate):
        with pytest.raises(ValueError, match=message):
            formula(*settings)
