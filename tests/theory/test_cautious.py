import jax
import numpy as np
import optax
import pytest

from tests.theory.normalised_walks import SIZE, deviation, require_equilibrium, walks
from wdjax.theory import cautious
from wdjax.transforms import cautious_decay

LR = 0.01


def optimiser(rate, b1):
    return optax.chain(
        optax.scale_by_adam(b1, 0.99), optax.scale_by_learning_rate(LR), cautious_decay(rate)
    )


def test_it_settles_where_theory_says():
    rates = np.array([1e-3, 1e-2, 1e-2, 1e-2, 1e-1])
    b1 = np.array([0.9, 0.0, 0.5, 0.9, 0.0])
    settled = cautious.CautiousAdamW(LR, rates, b1)
    norm = settled.norm(size=SIZE)
    walk = walks(optimiser, {"rate": rates, "b1": b1}, norm, steps=3000, discard=500)
    # Decay that comes and goes makes w other than Gaussian: by about ρ, and by c² where it depends
    # on w. The coefficients are those of the docstring's measured deviations.
    bias = 0.012 + 0.1 * rates + 0.4 * np.asarray(settled.state.cosine) ** 2
    require_equilibrium(walk, norm**2, settled.angle, norm_bias=bias, angle_bias=2 * bias)

    # A half of the decay acts without momentum only; at β₁ = 0.9 the norm tells of 0.44 of it.
    half = LR**2 * SIZE / rates
    ratio = deviation(walk.norm**2, half)[0] + 1
    assert ratio[0] == pytest.approx(1 / (2 * 0.44), abs=0.03)
    assert ratio[3] == pytest.approx(1 / (2 * 0.335), abs=0.03)


def test_a_deviation_falls_in_the_stated_time():
    rate, b2, steps = 1e-3, 0.95, 1000
    settled = cautious.CautiousAdamW(LR, rate, 0.9)

    def optimiser(rate, b1):
        chain = optax.scale_by_adam(b1, b2), optax.scale_by_learning_rate(LR), cautious_decay(rate)
        return optax.chain(*chain)

    start = float(settled.norm(size=SIZE)) * np.array([1.0, 1.1, 0.9])
    settings = {"rate": np.full(3, rate), "b1": np.full(3, 0.9)}
    walk = walks(optimiser, settings, start, steps=steps, walkers=16)
    squared = np.mean(walk.norm**2, axis=2)
    excess = squared[1:] / squared[0] - 1
    measured = np.log(excess[:, 100] / excess[:, -1]) / (steps - 101)
    # A deviation of 20 % is not small, above and below; v follows it with a delay of 20 steps,
    # which makes it last longer by the fraction 2ρf · 20.
    delay = 2 * settled.effective_rate / (1 - b2)
    predicted = (1 - delay) / settled.balance(size=SIZE).relaxation_steps
    assert np.mean(measured) == pytest.approx(float(predicted), rel=0.03)


def test_the_shares_are_those_of_a_gaussian():
    rng = np.random.default_rng(0)
    for cosine in (-0.6, 0.0, 0.3, 0.9):
        w, other = rng.normal(size=(2, 1_000_000))
        v = cosine * w + np.sqrt(1 - cosine**2) * other
        acts = v * w <= 0
        assert cautious.acting_share(cosine) == pytest.approx(np.mean(w**2 * acts), abs=0.006)
        assert cautious.shrinking_moment(cosine) == pytest.approx(-np.mean(v * w * acts), abs=0.006)


def test_the_state_solves_its_equations():
    rate, b1 = np.repeat([1e-6, 1e-3, 0.1, 1.0], 4), np.tile([0.0, 0.5, 0.9, 0.99], 4)
    c, s, f = cautious.cautious_state(rate, b1)
    h = cautious.shrinking_moment(c)
    np.testing.assert_allclose(f, cautious.acting_share(c), rtol=1e-12)
    np.testing.assert_allclose(c, b1 * (c + rate * h + s), rtol=1e-11)
    np.testing.assert_allclose(s**2 + 2 * (c + rate * h) * s, rate * (2 - rate) * f, rtol=1e-10)


def test_a_small_rate_gives_the_leading_order():
    c, _, f = cautious.cautious_state(1e-8, 0.9)
    assert c == pytest.approx(0.9 * np.sqrt(1e-8 / (1 - 0.81)), rel=2e-3)
    assert f == pytest.approx(float(0.5 - 2 * c / np.pi), rel=1e-6)
    settled = cautious.cautious_adamw(1e-4, 1e-4, 0.9)
    expected = np.sqrt(2 * 1e-8 * 0.5 * 0.1 / 1.9)
    assert settled.angle == pytest.approx(expected, rel=1e-3)


def test_the_state_is_differentiated_through_its_equations():
    share = jax.jit(lambda *x: cautious.cautious_state(*x).share)
    point, step = np.array([0.01, 0.9]), 1e-6 * np.eye(2)
    numeric = (share(*(point + step).T) - share(*(point - step).T)) / 2e-6
    slopes = jax.jit(jax.jacrev(share, (0, 1)))(*point)
    np.testing.assert_allclose(slopes, numeric, rtol=1e-6)


@pytest.mark.parametrize(("bad", "message"), [((1.5,), "rate is 1.5"), ((0.1, 1.0), "b1 is 1.0")])
def test_bad_input_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        cautious.cautious_state(*bad)
