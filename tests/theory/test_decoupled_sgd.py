import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.theory import sgd_walks
from tests.theory.sgd_walks import MOMENT, grid, require_equilibrium
from wdjax import theory
from wdjax.theory import decoupled, decoupled_sgd

ETA = 0.1
RATES = [1e-4, 1e-3, 1e-2, 1e-1]  # ρ = ηλ
MOMENTA = [0.0, 0.5, 0.9]


def impulse_response(mu, nesterov, length=2000):
    """What a gradient adds to the steps after it."""
    response = mu ** np.arange(length)
    return mu * response + (np.arange(length) == 0) if nesterov else response


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("mu", MOMENTA)
@pytest.mark.parametrize("rho", RATES)
def test_norm_and_angle_are_those_of_the_impulse_response(rho, mu, nesterov):
    response = impulse_response(mu, nesterov)
    zero, one = decoupled_sgd.autocovariance(mu, nesterov=nesterov)
    assert zero == pytest.approx(np.sum(response**2))
    assert one == pytest.approx(np.sum(response[1:] * response[:-1]))
    assert zero + 2 * one / (1 - mu) == pytest.approx(1 / (1 - mu) ** 2)

    # w = −η Σ_k h_k ∇L_{t−k}, with h the response summed under the decay.
    length = 2000 + round(20 / rho)
    kept = (1 - rho) ** np.arange(length)
    weight = np.convolve(kept, response)[:length]
    square, moved = np.sum(weight**2), np.sum(np.diff(weight, prepend=0.0) ** 2)
    settled = theory.sgdw(ETA, rho / ETA, mu, nesterov=nesterov)
    expected = np.sqrt(ETA**2 * MOMENT * square)
    assert settled.squared_norm(gradient_moment=MOMENT) == pytest.approx(expected, rel=1e-9)
    assert 2 - 2 * np.cos(settled.angle) == pytest.approx(moved / square, rel=1e-8)


def start(settled, mu, nesterov):
    """‖w‖ from which a walk whose buffer is empty at first stays, to leading order.

    It is the norm of w − ηcm, to which the buffer will have carried w: at ρ = 1e-4 and μ = 0.9,
    with the norm of w itself, ‖w‖² would start 0.3 % too small and take 2500 steps to recover.
    """
    buffer = 1 / (1 - mu**2)
    along, carried = buffer, mu / (1 - mu)
    if nesterov:
        along, carried = 1 + mu + mu**3 * buffer, mu**2 / (1 - mu)
    more = (2 * carried * along / (1 - mu) + carried**2 * buffer) * 2 * settled.rate * (1 - mu) ** 2
    return settled.norm(gradient_moment=MOMENT) * np.sqrt(1 + more)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_null_model_settles_where_theory_says(nesterov):
    rho, mu = grid(RATES, MOMENTA)
    dampening = np.zeros_like(mu) if nesterov else np.where(rho < 5e-3, mu, 0.0)
    settled = theory.sgdw(ETA, rho / ETA, mu, nesterov=nesterov, dampening=dampening)
    walk = sgd_walks.walks(
        lambda **setting: sgd_walks.sgd(ETA, nesterov=nesterov, **setting),
        {"rho": rho, "mu": mu, "tau": dampening},
        start(settled, mu, nesterov),
        steps=2000,
        discard=1000,
    )
    require_equilibrium(walk, settled)


def test_leading_orders():
    settled = theory.sgdw(0.1, 5e-3, 0.9)
    assert settled.angle == pytest.approx(np.sqrt(2 * 5e-4 * 0.1 / 1.9), rel=1e-3)
    assert settled.relaxation_steps == pytest.approx(500)
    assert settled.memory_steps == pytest.approx(2000)
    law = settled.balance(gradient_moment=4.0)
    assert settled.norm(gradient_moment=4.0) == pytest.approx(float(law.norm), rel=2e-3)
    effective = settled.effective_lr(gradient_moment=4.0)
    assert effective == pytest.approx(0.1 * np.sqrt(2 * 5e-4 / 4), rel=5e-3)
    # Coupled L2 at the same ηλ decays 1/(1−μ) times as fast.
    coupled = theory.sgd(0.1, 5e-4, 0.9)
    assert settled.angle == pytest.approx(float(coupled.angle), rel=1e-3)
    norms = [kind.norm(gradient_moment=4.0) for kind in (settled, coupled)]
    assert norms[0] == pytest.approx(float(norms[1]), rel=2e-3)


def test_without_momentum_coupled_and_decoupled_are_the_same():
    coupled, uncoupled = theory.sgd(0.2, 0.3), theory.sgdw(0.2, 0.3)
    assert uncoupled.angle == pytest.approx(float(coupled.angle), rel=1e-12)
    norms = [kind.norm(gradient_moment=2.0) for kind in (coupled, uncoupled)]
    assert norms[0] == pytest.approx(float(norms[1]), rel=1e-12)


def test_any_rate_may_be_given():
    independent = decoupled_sgd.DecoupledSGD(learning_rate=jnp.array([0.1, 0.2]), rate=1e-3)
    np.testing.assert_allclose(independent.angle, np.arccos(1 - 1e-3), rtol=1e-12)
    squares = independent.squared_norm(gradient_moment=1.0)
    assert squares[1] == pytest.approx(2 * float(squares[0]))


def test_without_decay_nothing_settles():
    settled = theory.sgdw(0.1, 0.0, 0.9)
    assert settled.angle == 0
    assert settled.relaxation_steps == settled.memory_steps == np.inf
    assert settled.norm(gradient_moment=1.0) == np.inf


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"lr": -0.1}, "lr is -0.1"),
        ({"weight_decay": np.inf}, "weight_decay is inf"),
        ({"weight_decay": 20.0}, "rate is 2.0; expected at most 1"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"dampening": 0.5, "nesterov": True}, "dampening is 0.5 with nesterov"),
    ],
)
def test_bad_settings_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        theory.sgdw(**{"lr": 0.1, "weight_decay": 0.1, **bad})


def test_bad_rates_are_refused():
    for formula in (
        decoupled_sgd.angle_per_step,
        decoupled_sgd.relaxation_steps,
        decoupled.angle_per_step,
        decoupled.relaxation_steps,
        decoupled.memory_steps,
    ):
        with pytest.raises(ValueError, match=r"rate is 1\.5; expected at most 1"):
            formula(1.5)
    with pytest.raises(ValueError, match="gradient_moment is nan"):
        decoupled_sgd.squared_norm(0.1, 0.1, gradient_moment=np.nan)


def test_it_passes_through_transformations():
    rates = jnp.array([0.1, 0.2])
    settled = theory.sgdw(rates, 5e-3, 0.9, nesterov=True)
    angles = jax.jit(lambda settled: settled.angle)(settled)
    np.testing.assert_allclose(angles, settled.angle, rtol=1e-12)
    norms = jax.vmap(lambda lr: theory.sgdw(lr, 5e-3, 0.9, nesterov=True).norm(gradient_moment=1.0))
    np.testing.assert_allclose(norms(rates), settled.norm(gradient_moment=1.0), rtol=1e-12)
    slope = jax.grad(lambda lr: jnp.log(theory.sgdw(lr, 5e-4).angle))(0.1)
    assert slope == pytest.approx(0.5 / 0.1, rel=1e-3)
