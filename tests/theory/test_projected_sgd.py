import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.theory import sgd_walks
from tests.theory.sgd_walks import MOMENT, errors, grid, require_equilibrium
from wdjax import theory, transforms
from wdjax.theory import decoupled_sgd
from wdjax.theory.projected_sgd import ProjectedSGD

ETA = 0.1


def walk(settled, mu, nesterov=False, **counts):
    """Walks of the transformation itself, which takes vectors only as matrices of one column."""
    lam = settled.rate * (1 - mu) / (0.1 * ETA)
    return sgd_walks.walks(
        lambda lam, mu: transforms.sgdp(ETA, lam, mu, nesterov=nesterov),
        {"lam": lam, "mu": mu},
        settled.norm(gradient_moment=MOMENT),
        **counts,
    )


def test_the_null_model_settles_where_theory_says():
    rate, mu = grid([1e-3, 1e-2, 1e-1], [0.0, 0.5, 0.9])
    settled = ProjectedSGD(ETA, rate, mu)
    require_equilibrium(walk(settled, mu, steps=1000, discard=500), settled)


def test_the_leading_order_of_nesterov():
    rate, mu = np.array([1e-3, 3e-4]), np.array([0.5, 0.9])
    settled = ProjectedSGD(ETA, rate, mu, nesterov=True)
    measured = walk(settled, mu, nesterov=True, steps=1500, discard=1000)
    off, error = errors(measured.angle**2, settled.angle**2)
    np.testing.assert_array_less(np.abs(off), 4.5 * error + 1e-3)
    off, error = errors(measured.norm**2, settled.squared_norm(gradient_moment=MOMENT))
    np.testing.assert_array_less(np.abs(off), 4.5 * error + 2 * rate * mu**2 / (1 - mu) ** 2)


def test_its_direction_is_forgotten_in_the_time_predicted():
    rate, mu = np.array([1e-2, 2e-3, 2e-4]), np.array([0.0, 0.5, 0.9])
    settled = ProjectedSGD(ETA, rate, mu)
    times = np.asarray(settled.memory_steps)
    np.testing.assert_allclose(times, (1 - mu) / (rate * (1 + mu)))
    measured = walk(settled, mu, steps=270, discard=100, dimension=512, walkers=32)
    cosine = np.stack([measured.cosine[i, round(t)] for i, t in enumerate(times)])
    error = cosine.std(axis=1, ddof=1) / np.sqrt(32)
    tolerance = 4 * error + np.exp(-1) * rate / (1 - mu) ** 2
    np.testing.assert_array_less(np.abs(cosine.mean(axis=1) - np.exp(-1)), tolerance)


def test_the_norm_is_that_of_orthogonal_steps():
    """η²‖m‖² is gained and ρ(2−ρ) lost, but for what the projection takes out of the step."""
    settled = theory.sgdp(0.1, 1e-4, 0.9)
    rate = 0.1 * 1e-4 * 0.1 / 0.1
    assert settled.rate == pytest.approx(rate)
    assert settled.angle == pytest.approx(np.sqrt(2 * rate), rel=1e-4)
    expected = 0.1**4 * MOMENT**2 / (0.19 * 2 * rate) ** 2
    assert settled.norm(gradient_moment=MOMENT) ** 8 == pytest.approx(expected, rel=8e-3)
    law = settled.balance(gradient_moment=MOMENT)
    assert law.relaxation_steps == pytest.approx(float(settled.relaxation_steps))
    # SGDM at the same rate gains (1 + μ)/(1 − μ) as much.
    plain = decoupled_sgd.DecoupledSGD(0.1, rate, 0.9).balance(gradient_moment=MOMENT)
    assert plain.growth / law.growth == pytest.approx(19)


def test_without_momentum_it_is_sgdw():
    settled, plain = theory.sgdp(0.1, 0.2), theory.sgdw(0.1, 0.02)
    norms = [kind.norm(gradient_moment=2.0) for kind in (settled, plain)]
    assert norms[0] == pytest.approx(float(norms[1]), rel=1e-12)
    assert settled.angle == pytest.approx(float(plain.angle), rel=1e-12)
    assert settled.memory_steps == pytest.approx(float(plain.memory_steps), rel=1e-12)
    effective = [kind.effective_lr(gradient_moment=2.0) for kind in (settled, plain)]
    assert effective[0] == pytest.approx(float(effective[1]), rel=1e-12)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"lr": -0.1}, "lr is -0.1"),
        ({"weight_decay": np.inf}, "weight_decay is inf"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"wd_ratio": 1.5}, "wd_ratio is 1.5; expected at most 1"),
        ({"weight_decay": 200.0}, "rate is 2.0; expected at most 1"),
    ],
)
def test_bad_settings_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        theory.sgdp(**{"lr": 0.1, "weight_decay": 0.1, **bad})


def test_it_passes_through_transformations():
    settled = theory.sgdp(jnp.array([0.1, 0.2]), 5e-3, 0.9)
    norms = jax.jit(lambda settled: settled.norm(gradient_moment=1.0))(settled)
    np.testing.assert_allclose(norms, settled.norm(gradient_moment=1.0), rtol=1e-12)
