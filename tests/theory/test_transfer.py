import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdjax import rates
from wdjax.theory import timescale, transfer

ratios = st.floats(0.1, 10.0)
OLD = {"batch": 64.0, "data": 50_000.0, "epochs": 30.0, "learning_rate": 1e-3}


def new_run(growth):
    """The sizes of the new run, and the keyword arguments that say so."""
    growth = dict(zip(OLD, growth, strict=True))
    return {name: OLD[name] * growth[name] for name in OLD}, growth


def averaging_epochs(run, decay):
    steps_per_epoch = run["data"] / run["batch"]
    return timescale.averaging_time(run["learning_rate"] * decay, steps_per_epoch)


def time_scales(run, decay):
    return run["learning_rate"] * decay * run["data"] * run["epochs"] / run["batch"]


def loshchilov_norm(run, decay):
    # λ_norm from λ = λ_norm √(b/(BT)), with λ the fraction removed per step at the peak.
    unit = rates.loshchilov_norm(1.0, run["batch"], run["data"], run["epochs"])
    return run["learning_rate"] * decay / unit


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (transfer.keep_averaging_epochs, averaging_epochs),
        (transfer.keep_time_scales, time_scales),
        (transfer.keep_loshchilov_norm, loshchilov_norm),
    ],
)
@given(growth=st.tuples(ratios, ratios, ratios, ratios))
def test_each_rule_keeps_what_its_name_says(rule, kept, growth):
    new, growth = new_run(growth)
    taken = {name: growth[name] for name in growth if name in inspect.signature(rule).parameters}
    decay = rule(0.1, **taken)
    assert float(kept(new, decay)) == pytest.approx(float(kept(OLD, 0.1)), rel=1e-12)


@pytest.mark.parametrize(
    ("rule", "powers"),
    [
        (transfer.keep_averaging_epochs, {"batch": 1, "data": -1, "learning_rate": -1}),
        (
            transfer.keep_time_scales,
            {"batch": 1, "data": -1, "epochs": -1, "learning_rate": -1},
        ),
        (
            transfer.keep_loshchilov_norm,
            {"batch": 0.5, "data": -0.5, "epochs": -0.5, "learning_rate": -1},
        ),
    ],
)
def test_the_table_of_powers(rule, powers):
    for name, power in powers.items():
        assert float(rule(0.1, **{name: 7.0})) == pytest.approx(0.1 * 7.0**power, rel=1e-12)
    assert set(powers) | {"weight_decay"} == set(inspect.signature(rule).parameters)


def test_learning_rates_of_batches_and_the_decay_that_goes_with_them():
    for power, decay in ((1.0, 0.1), (0.5, 0.2)):
        eta = transfer.scale_learning_rate(0.01, batch=4, power=power)
        assert float(eta) == pytest.approx(0.01 * 4**power)
        grown = transfer.keep_averaging_epochs(0.1, batch=4, learning_rate=eta / 0.01)
        assert float(grown) == pytest.approx(decay)


def test_width_keeps_the_rate_or_lets_it_fall():
    wide = transfer.widen(0.01, 0.1, width=np.array([1.0, 16.0]))
    np.testing.assert_allclose(wide.learning_rate * wide.weight_decay, 1e-3, rtol=1e-12)
    np.testing.assert_allclose(wide.learning_rate, [0.01, 0.01 / 16], rtol=1e-12)
    assert float(transfer.widen(0.01, 0.1, width=16, power=0.5).weight_decay) == pytest.approx(0.4)


def normalise(z, epsilon):
    return (z - z.mean(0)) / jnp.sqrt(z.var(0) + epsilon)


RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.normal(size=(48, 6)), RNG.normal(size=(48, 3))
FIRST, SECOND, READOUT = (RNG.normal(size=(m, n)) / 3 for m, n in ((6, 8), (8, 8), (8, 3)))


def outputs(params, epsilon):
    """Two layers with batch norm (scale-invariant), and a readout that is held."""
    x = jax.nn.tanh(normalise(INPUTS @ params["first"], epsilon))
    return jax.nn.tanh(normalise(x @ params["second"], epsilon)) @ READOUT


def train(optimiser, gauged, steps=60):
    """Outputs at every step of a run, with a learning rate that warms up and drops."""

    def schedule(step):  # in float64, which Optax's own are not
        step = jnp.asarray(step, float)
        return gauged.learning_rate * jnp.where(step < 40, jnp.minimum(1, (step + 1) / 10), 0.1)

    tx = optimiser(schedule, gauged)
    params = {"first": gauged.weight_factor * FIRST, "second": gauged.weight_factor * SECOND}

    def loss(params):
        out = outputs(params, gauged.norm_epsilon)
        return jnp.mean((out - TARGETS) ** 2), out

    def step(carry, _):
        params, state = carry
        gradient, out = jax.grad(loss, has_aux=True)(params)
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), out

    return jax.lax.scan(step, (params, tx.init(params)), length=steps)[1]


def nesterov(lr, gauged):
    decay = optax.add_decayed_weights(gauged.weight_decay)
    return optax.chain(decay, optax.sgd(lr, 0.9, nesterov=True))


def sgdw(lr, gauged):
    decay = optax.add_decayed_weights(gauged.weight_decay)
    return optax.chain(optax.trace(0.9), decay, optax.scale_by_learning_rate(lr))


def adamw(lr, gauged):
    return optax.adamw(lr, eps=gauged.epsilon, weight_decay=gauged.weight_decay)


def lion(lr, gauged):
    return optax.lion(lr, weight_decay=gauged.weight_decay)


SGD = partial(transfer.gauge_sgd, 0.3, 0.02, norm_epsilon=0.1)
ADAMW = partial(transfer.gauge_adamw, 0.02, 0.5, norm_epsilon=0.1, epsilon=1e-3)


@pytest.mark.parametrize(
    ("optimiser", "gauge"), [(nesterov, SGD), (sgdw, SGD), (adamw, ADAMW), (lion, ADAMW)]
)
def test_gauged_settings_are_the_same_run(optimiser, gauge):
    forms = [gauge(1.0), gauge(3.0), gauge(0.2)]
    # Each number is a unit of its own: with one of them left alone the run is another.
    names = [n for n in transfer.Gauged._fields if n != "epsilon" or optimiser is adamw]
    spoilt = [forms[1]._replace(**{name: getattr(forms[0], name)}) for name in names]
    stacked = jax.tree.map(lambda *x: jnp.stack(jnp.broadcast_arrays(*x)), *forms, *spoilt)
    runs = jax.jit(jax.vmap(partial(train, optimiser)))(stacked)
    moved = np.max(np.abs(runs[0, -1] - runs[0, 0]))
    assert moved > 0.1
    np.testing.assert_allclose(runs[1:3], runs[:1].repeat(2, 0), rtol=0, atol=1e-10)
    for name, other in zip(names, runs[3:], strict=True):
        assert np.max(np.abs(other - runs[0])) > 1e-3, name


def test_rules_broadcast_and_differentiate():
    batches = jnp.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(
        jax.jit(lambda b: transfer.keep_loshchilov_norm(0.1, batch=b))(batches),
        0.1 * np.sqrt(batches),
    )
    slope = jax.grad(lambda e: transfer.keep_time_scales(0.1, epochs=e))(2.0)
    assert slope == pytest.approx(-0.1 / 4)
    assert jax.vmap(lambda a: transfer.gauge_sgd(0.1, 0.1, a).weight_factor)(batches).shape == (3,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transfer.keep_averaging_epochs(-0.1), "weight_decay is -0.1"),
        (lambda: transfer.keep_averaging_epochs(0.1, batch=0), "batch is 0"),
        (lambda: transfer.keep_time_scales(0.1, epochs=np.inf), "epochs is inf"),
        (lambda: transfer.keep_loshchilov_norm(0.1, learning_rate=-1), "learning_rate is -1"),
        (lambda: transfer.scale_learning_rate(0.1, batch=0, power=1), "batch is 0"),
        (lambda: transfer.widen(0.1, 0.1, width=0), "width is 0"),
        (lambda: transfer.gauge_sgd(0.1, 0.1, 0.0), "factor is 0"),
        (lambda: transfer.gauge_sgd(0.1, 0.1, 1.0, norm_epsilon=-1), "norm_epsilon is -1"),
        (lambda: transfer.gauge_adamw(0.1, 0.1, 1.0, epsilon=np.nan), "epsilon is nan"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
