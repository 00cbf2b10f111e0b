import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdjax import rates
from wdjax.theory import timescale

SHAPES = {
    "constant": lambda x: np.ones_like(x),
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + np.cos(np.pi * x)) / 2,
}


def weights_one_by_one(rates):
    """ρ_t Π_{s>t} (1 − ρ_s), factor by factor; and the weight of the start."""
    weights = []
    for t, rho in enumerate(rates):
        for later in rates[t + 1 :]:
            rho = rho * (1 - later)
        weights.append(rho)
    return np.array(weights), np.prod([1 - rho for rho in rates])


@given(st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
def test_weights_are_those_of_the_product_and_add_up_to_one(fractions):
    weights, start = weights_one_by_one(fractions)
    given = np.array(fractions)
    np.testing.assert_allclose(timescale.averaging_weights(given), weights, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(timescale.memory_of_start(given), start, rtol=1e-12, atol=1e-15)
    assert float(np.sum(timescale.averaging_weights(given)) + timescale.memory_of_start(given)) == (
        pytest.approx(1.0, abs=1e-12)
    )


def test_adamw_under_a_schedule_is_the_average_of_its_updates():
    steps, decay = 120, 0.7
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(steps, 5))

    def schedule(step):  # warm-up, then a drop; in float64, which Optax's own are not
        step = jnp.asarray(step, float)
        return jnp.where(step < 80, 0.1 * jnp.minimum(1.0, (step + 1) / 10), 0.02)

    def train(tx, w):
        def step(carry, gradient):
            w, state = carry
            updates, state = tx.update(gradient, state, w)
            return (optax.apply_updates(w, updates), state), updates

        return jax.lax.scan(step, (w, tx.init(w)), gradients)

    (end, _), _ = train(optax.adamw(schedule, weight_decay=decay), jnp.asarray(start))
    _, directions = train(optax.scale_by_adam(), jnp.zeros(5))
    rho = decay * jax.vmap(schedule)(jnp.arange(steps))
    weights, memory = timescale.averaging_weights(rho), timescale.memory_of_start(rho)
    np.testing.assert_allclose(end, memory * start - weights @ directions / decay, rtol=1e-12)


def test_small_rates_are_not_rounded_away():
    with jax.enable_x64(False):
        rho = jnp.full(1_000_000, 1e-5, jnp.float32)
        assert timescale.averaging_weights(rho).dtype == jnp.float32
        assert timescale.memory_of_start(rho) == pytest.approx(np.exp(-10.00005), rel=1e-4)
        first = timescale.averaging_weights(rho)[0]
        assert first == pytest.approx(1e-5 * np.exp(-10.00005), rel=1e-4)


def test_the_time_of_the_average_is_where_its_weights_have_fallen_to_1_over_e():
    rho = rates.timescale(250.0)
    assert timescale.averaging_time(rho) == pytest.approx(250.0)
    assert timescale.averaging_time(rho, steps_per_epoch=50) == pytest.approx(5.0)
    weights = timescale.averaging_weights(np.full(1000, rho))
    assert weights[-251] / weights[-1] == pytest.approx(np.exp(-1), rel=1 / 250)
    assert timescale.averaging_time(0.0) == np.inf


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [1, 2])
def test_means_of_schedules_are_those_of_a_long_run(shape, power):
    steps, end, warmup = 100_000, 0.1, 0.2
    x = (np.arange(steps) + 0.5) / steps
    falling = SHAPES[shape]((x - warmup) / (1 - warmup))
    falling = falling if shape == "constant" else end + (1 - end) * falling
    multiplier = np.where(x < warmup, x / warmup, falling)
    closed = timescale.mean_of_schedule(shape, power=power, end=end, warmup=warmup)
    assert float(closed) == pytest.approx(np.mean(multiplier**power), rel=1e-8)
    scales = timescale.time_scales(1e-4 * multiplier**power)
    assert scales == pytest.approx(float(1e-4 * steps * closed), rel=1e-8)


@pytest.mark.parametrize(
    ("shape", "left"), [("constant", "4.5e-05"), ("linear", "6.7e-03"), ("cosine", "6.7e-03")]
)
def test_what_is_left_of_the_start_after_ten_time_scales_of_the_peak(shape, left):
    steps = 100_000
    rho = 10 / steps * SHAPES[shape](np.arange(steps) / steps)
    assert f"{timescale.memory_of_start(rho):.1e}" == left


def test_time_leads_and_other_axes_stay():
    rho = jnp.array([[0.1, 0.5], [0.2, 0.5], [0.3, 0.5]])
    for function in (timescale.averaging_weights, timescale.memory_of_start, timescale.time_scales):
        columns = jnp.stack([function(rho[:, 0]), function(rho[:, 1])], axis=-1)
        np.testing.assert_allclose(function(rho), columns, rtol=1e-14)
    slope = jax.jit(jax.grad(lambda r: timescale.memory_of_start(r)))(rho[:, 0])
    np.testing.assert_allclose(slope, -np.prod(1 - rho[:, 0]) / (1 - rho[:, 0]), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: timescale.averaging_time(1.5), "rate is 1.5"),
        (lambda: timescale.averaging_time(np.nan), "rate is nan"),
        (lambda: timescale.averaging_time(0.1, -1), "steps_per_epoch is -1"),
        (lambda: timescale.averaging_weights(0.1), "one rate per step"),
        (lambda: timescale.memory_of_start(np.zeros((0, 3))), "one rate per step"),
        (lambda: timescale.time_scales([-0.1]), "rates is"),
        (lambda: timescale.mean_of_schedule("square"), "expected one of constant"),
        (lambda: timescale.mean_of_schedule("linear", power=3), "power is 3"),
        (lambda: timescale.mean_of_schedule("linear", warmup=2.0), "warmup is 2"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
