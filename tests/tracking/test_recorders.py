"""What the recorders keep, against plain lists of all steps."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from orbax.checkpoint import v1 as checkpoint

from wdjax import tracking
from wdjax.groups import per_axis

STEPS, EVERY, LENGTH, DECAY = 11, 3, 3, 0.6
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 4, 2))
PARAMS = {"w": np.random.default_rng(1).normal(size=(4, 2))}


def run(record, every=1, decay=None):
    """Metrics and step numbers after each step, as one program."""
    record = tracking.ema(decay) if decay is not None else record
    tx = tracking.tracked(optax.sgd(0.1, 0.9), per_axis(-1), record=record, every=every)

    def body(carry, gradient):
        params, state = carry
        updates, state = tx.update({"w": gradient}, state, params)
        carry = optax.apply_updates(params, updates), state
        return carry, (tracking.metrics(state)["w"], tracking.steps(state))

    params = jax.tree.map(jnp.asarray, PARAMS)
    return jax.lax.scan(body, (params, tx.init(params)), jnp.asarray(GRADIENTS))[1]


@functools.cache
def all_steps():
    with jax.enable_x64(True):
        return jax.jit(lambda: run(tracking.last()))()[0]


def due(step):
    """The steps that are recorded up to a step."""
    return np.arange(0, step + 1, EVERY)


def at(measures, index):
    return jax.tree.map(lambda leaf: leaf[index], measures)


def test_last_keeps_the_last_step_that_was_due():
    found, steps = jax.jit(lambda: run(None, EVERY))()
    np.testing.assert_array_equal(steps, [due(step)[-1] for step in range(STEPS)])
    np.testing.assert_allclose(found, at(all_steps(), np.asarray(steps)), rtol=1e-12)


def test_ring_keeps_the_last_steps_in_order():
    found, steps = jax.jit(lambda: run(tracking.ring(LENGTH), EVERY))()
    for step in range(STEPS):
        rows = due(step)[-LENGTH:]
        empty = LENGTH - len(rows)
        np.testing.assert_array_equal(steps[step], [-1] * empty + list(rows))
        now = at(found, step)
        np.testing.assert_allclose(at(now, slice(empty, None)), at(all_steps(), rows), rtol=1e-12)
        assert not np.any(at(now, slice(0, empty)))


def test_ema_weighs_the_steps_by_how_long_ago_they_were():
    found, steps = jax.jit(lambda: run(tracking.ema(DECAY), EVERY))()
    np.testing.assert_array_equal(steps, [due(step)[-1] for step in range(STEPS)])
    raw = all_steps()
    for step in range(STEPS):
        rows = due(step)
        weights = (1 - DECAY) * DECAY ** np.arange(len(rows))[::-1]

        def mean(values, rows=rows, weights=weights):
            return np.tensordot(weights / weights.sum(), np.asarray(values)[rows], 1)

        now = at(found, step)
        np.testing.assert_allclose(now.angle, np.sqrt(mean(raw.angle**2)), rtol=1e-12)
        np.testing.assert_allclose(now.norm, np.sqrt(mean(raw.norm**2)), rtol=1e-12)
        removed = raw.norm**2 - (raw.norm + raw.radial_update) ** 2
        balance = mean(removed) / mean(raw.tangential_update**2)
        np.testing.assert_allclose(now.balance, balance, rtol=1e-10)


def test_an_average_over_one_decay_may_be_batched_over_decays():
    decays = jnp.array([0.0, 0.5, 0.9])
    found, _ = jax.jit(jax.vmap(lambda decay: run(None, decay=decay)))(decays)
    np.testing.assert_allclose(found.norm[0], all_steps().norm, rtol=1e-12)
    assert np.all(np.diff(np.abs(found.norm[:, -1] - all_steps().norm[0]), axis=0) < 0)


class Sum(NamedTuple):
    steps: jax.Array
    measures: dict


def test_a_recorder_of_ones_own():
    def update(record, step, measures):
        return Sum(step, jax.tree.map(jnp.add, record.measures, measures))

    total = tracking.Recorder(lambda before: Sum(jnp.array(-1), before), update)
    found, _ = jax.jit(lambda: run(total))()
    np.testing.assert_allclose(found.angle[-1], np.sum(all_steps().angle, axis=0), rtol=1e-12)


@jax.enable_x64(False)  # Orbax restores float32
def test_the_records_are_saved_and_restored(tmp_path):
    for name, record in {"ema": tracking.ema(0.9), "ring": tracking.ring(3)}.items():
        tx = tracking.tracked(optax.sgd(0.1), record=record)
        params = jax.tree.map(jnp.float32, PARAMS)
        _, state = jax.jit(tx.update)(params, tx.init(params), params)
        checkpoint.save(tmp_path / name, state)
        restored = checkpoint.load(tmp_path / name, tx.init(params))
        jax.tree.map(np.testing.assert_array_equal, restored, state)
        assert tracking.metrics(restored)["w"].norm.shape == tracking.metrics(state)["w"].norm.shape


@pytest.mark.parametrize(
    "record", [tracking.last(), tracking.ema(0.9), tracking.ring(2)], ids=["last", "ema", "ring"]
)
def test_the_state_keeps_structure_and_dtypes_and_can_be_donated(record):
    tx = tracking.tracked(optax.sgd(0.1), record=record, every=2)
    params = {"w": jnp.ones((3, 2), jnp.bfloat16)}
    state = tx.init(params)
    before = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    step = jax.jit(lambda state, params: tx.update(params, state, params)[1], donate_argnums=0)
    for _ in range(3):
        state = step(state, params)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == before
    assert step._cache_size() == 1
    assert {leaf.dtype.name for leaf in jax.tree.leaves(tracking.metrics(state))} == {"float32"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tracking.ema(1.0), "decay is 1.0, but from 1 on"),
        (lambda: tracking.ema(-0.1), "decay is -0.1"),
        (lambda: tracking.ema(np.nan), "decay is nan"),
        (lambda: tracking.ema(np.array([0.1, 0.2])), "decay has shape"),
        (lambda: tracking.ring(0), "length is 0; expected a whole number from 1 on"),
        (lambda: tracking.ring(2.0), "length is 2.0"),
        (lambda: tracking.ring(True), "length is True"),
    ],
)
def test_bad_settings_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
