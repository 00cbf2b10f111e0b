"""The wrapper records the same numbers wherever an Optax transformation runs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import wdjax
from wdjax import groups

DEVICES, STEPS = 8, 5
GROUPS = groups.union(groups.per_leaf(), groups.joint("all"))
RNG = np.random.default_rng(0)
PARAMS = {"kernel": RNG.normal(size=(16, 4)), "bias": RNG.normal(size=4)}
BATCHES = RNG.normal(size=(STEPS, 32, 16)), RNG.normal(size=(STEPS, 32, 4))


def loss(params, x, y):
    return jnp.mean((jnp.tanh(x @ params["kernel"]) + params["bias"] - y) ** 2)


def optimiser(grouping=GROUPS):
    return wdjax.tracked(wdjax.transforms.sgd_l2(0.1, 0.01, 0.9), grouping)


def step(carry, batch, tx, reduce=lambda gradient: gradient):
    params, state = carry
    updates, state = tx.update(reduce(jax.grad(loss)(params, *batch)), state, params)
    return (optax.apply_updates(params, updates), state), wdjax.metrics(state)


def eager():
    tx = optimiser()
    carry = PARAMS, tx.init(PARAMS)
    history = []
    for batch in zip(*BATCHES, strict=True):
        carry, measures = step(carry, batch, tx)
        history.append(measures)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *history)


EXPECTED = functools.cache(eager)


def assert_as_eager(history):
    """Leaf by leaf, so that a failure names what differs."""
    assert jax.tree.structure(history) == jax.tree.structure(EXPECTED())
    for (path, leaf), expected in zip(
        jax.tree.leaves_with_path(history), jax.tree.leaves(EXPECTED()), strict=True
    ):
        np.testing.assert_allclose(leaf, expected, rtol=1e-10, err_msg=jax.tree_util.keystr(path))


def scanned(tx, params, batches, reduce=lambda gradient: gradient):
    body = functools.partial(step, tx=tx, reduce=reduce)
    return jax.lax.scan(body, (params, tx.init(params)), batches)[1]


def test_under_jit():
    tx = optimiser()
    jitted = jax.jit(functools.partial(step, tx=tx))
    params = jax.tree.map(jnp.asarray, PARAMS)
    carry, history = (params, tx.init(params)), []
    for batch in zip(*BATCHES, strict=True):
        carry, measures = jitted(carry, batch)
        history.append(measures)
    assert jitted._cache_size() == 1
    assert_as_eager(jax.tree.map(lambda *leaves: np.stack(leaves), *history))


def test_under_scan():
    assert_as_eager(jax.jit(functools.partial(scanned, optimiser()))(PARAMS, BATCHES))


def test_under_vmap():
    copies = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), PARAMS)
    history = jax.vmap(lambda params: scanned(optimiser(), params, BATCHES))(copies)
    assert_as_eager(jax.tree.map(lambda leaf: leaf[0], history))
    assert history["kernel"].norm[1, 0] == pytest.approx(2 * float(history["kernel"].norm[0, 0]))


def test_under_pmap():
    tx = optimiser()
    batches = jax.tree.map(lambda x: x.reshape(STEPS, DEVICES, -1, x.shape[-1]), BATCHES)
    run = jax.pmap(
        lambda params, batches: scanned(
            tx, params, batches, lambda gradient: jax.lax.pmean(gradient, "batch")
        ),
        axis_name="batch",
        in_axes=(None, 1),
    )
    history = run(PARAMS, batches)
    for device in range(DEVICES):
        assert_as_eager(jax.tree.map(lambda leaf, device=device: leaf[device], history))


@pytest.fixture
def mesh():
    return jax.make_mesh((DEVICES,), ("d",), axis_types=(AxisType.Auto,))


def test_under_shard_map_with_the_batch_sharded(mesh):
    # Replicated parameters: JAX itself sums the gradients over the shards, so pmean is a division.
    run = jax.shard_map(
        functools.partial(scanned, optimiser(), reduce=lambda g: jax.tree.map(over_shards, g)),
        mesh=mesh,
        in_specs=(P(), P(None, "d")),
        out_specs=P(),
    )
    assert_as_eager(jax.jit(run)(PARAMS, BATCHES))


def over_shards(gradient):
    return gradient / DEVICES


def test_under_jit_with_sharded_parameters(mesh):
    shardings = {"kernel": NamedSharding(mesh, P("d")), "bias": NamedSharding(mesh, P())}
    params = jax.device_put(PARAMS, shardings)
    assert_as_eager(jax.jit(functools.partial(scanned, optimiser()))(params, BATCHES))


def test_under_shard_map_with_the_parameters_sharded(mesh):
    kernel = {"kernel": True, "bias": False}
    tx = optimiser(groups.per_leaf(kernel, axis_name="d"))

    def with_gradients(params, gradients):
        updates, state = tx.update(gradients, tx.init(params), params)
        return updates, wdjax.metrics(state)

    gradients = jax.grad(loss)(PARAMS, BATCHES[0][0], BATCHES[1][0])
    sharded = {"kernel": P("d"), "bias": P()}
    run = jax.shard_map(
        with_gradients, mesh=mesh, in_specs=(sharded, sharded), out_specs=(sharded, P())
    )
    _, measures = jax.jit(run)(PARAMS, gradients)
    expected = jax.tree.map(lambda leaf: leaf[0], EXPECTED()["kernel"])
    np.testing.assert_allclose(list(measures["kernel"]), list(expected), rtol=1e-10)


def test_the_structure_of_the_state_never_changes():
    tx = optimiser()
    before = tx.init(PARAMS)
    _, after = tx.update(PARAMS, before, PARAMS)
    described = [jax.tree.map(lambda x: (x.shape, x.dtype), state) for state in (before, after)]
    assert described[0] == described[1]


def test_the_updates_pass_unchanged():
    inner = wdjax.transforms.sgd_l2(0.1, 0.01, 0.9)
    expected, _ = inner.update(PARAMS, inner.init(PARAMS), PARAMS)
    found, _ = optimiser().update(PARAMS, optimiser().init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_before_the_first_step_there_is_only_the_norm():
    first = wdjax.metrics(optimiser().init(PARAMS))["kernel"]
    assert first.norm == pytest.approx(np.linalg.norm(PARAMS["kernel"]))
    assert first.angle == 0


def test_metrics_are_found_at_any_depth():
    tx = optax.MultiSteps(optax.chain(optax.identity(), optax.masked(optimiser(None), True)), 2)
    assert set(wdjax.metrics(tx.init(PARAMS))) == {"kernel", "bias"}


def test_integer_leaves_are_left_out():
    params = {**PARAMS, "n": np.array(3)}
    tx = wdjax.tracked(optax.identity())
    _, state = tx.update(params, tx.init(params), params)
    assert set(wdjax.metrics(state)) == {"kernel", "bias"}


def test_an_empty_tree_has_no_measures():
    tx = wdjax.tracked(optax.sgd(0.1))
    assert wdjax.metrics(tx.init({})) == {}


def test_a_state_without_tracking_is_explained():
    with pytest.raises(ValueError, match="holds 0 tracked transformations; expected one"):
        wdjax.metrics(optax.sgd(0.1).init(PARAMS))


@pytest.mark.parametrize(
    ("updates", "params", "message"),
    [
        (PARAMS, None, "needs the current parameters"),
        ({"kernel": PARAMS["kernel"]}, PARAMS, "only in params: bias"),
        ({**PARAMS, "bias": None}, PARAMS, "no update"),
    ],
)
def test_bad_updates_are_explained(updates, params, message):
    tx = optimiser()
    with pytest.raises(ValueError, match=message):
        tx.update(updates, tx.init(PARAMS), params)
