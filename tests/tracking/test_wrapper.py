"""The wrapper and all recorders record the same numbers wherever an Optax transformation runs."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import wdjax
from wdjax import groups, tracking

DEVICES, STEPS = 8, 5
GROUPS = groups.joint("all")
RNG = np.random.default_rng(0)
PARAMS = {"kernel": RNG.normal(size=(16, 4)), "bias": RNG.normal(size=4)}
BATCHES = RNG.normal(size=(STEPS, 32, 16)), RNG.normal(size=(STEPS, 32, 4))


def loss(params, x, y):
    return jnp.mean((jnp.tanh(x @ params["kernel"]) + params["bias"] - y) ** 2)


class Records(NamedTuple):
    parts: tuple

    @property
    def steps(self):
        return [part.steps for part in self.parts]

    @property
    def measures(self):
        return [part.measures for part in self.parts]


def all_of(*recorders):
    def update(record, step, measures):
        pairs = zip(recorders, record.parts, strict=True)
        return Records(tuple(recorder.update(part, step, measures) for recorder, part in pairs))

    def init(before):
        return Records(tuple(recorder.init(before) for recorder in recorders))

    return tracking.Recorder(init, update)


def optimiser(grouping=GROUPS):
    record = all_of(tracking.last(), tracking.ema(0.7), tracking.ring(2))
    return wdjax.tracked(wdjax.transforms.sgd_l2(0.1, 0.01, 0.9), grouping, record, every=2)


def recorded(state):
    return wdjax.metrics(state), tracking.steps(state)


def step(carry, batch, tx, reduce=lambda gradient: gradient):
    params, state = carry
    updates, state = tx.update(reduce(jax.grad(loss)(params, *batch)), state, params)
    return (optax.apply_updates(params, updates), state), recorded(state)


def loop(step, steps=STEPS):
    carry = jax.tree.map(jnp.asarray, (PARAMS, optimiser().init(PARAMS)))
    history = []
    for batch in zip(*(x[:steps] for x in BATCHES), strict=True):
        carry, measures = step(carry, batch)
        history.append(measures)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *history)


@functools.cache
def expected():
    """In a Python loop, step by step."""
    jitted = jax.jit(functools.partial(step, tx=optimiser()))
    history = loop(jitted)
    assert jitted._cache_size() == 1
    return history


def assert_same(found, expected):
    """Leaf by leaf, so that a failure names what differs."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for (path, leaf), other in zip(
        jax.tree.leaves_with_path(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(leaf, other, rtol=1e-10, err_msg=jax.tree_util.keystr(path))


def assert_as_expected(history):
    assert_same(history, expected())


def scanned(tx, params, batches, reduce=lambda gradient: gradient):
    body = functools.partial(step, tx=tx, reduce=reduce)
    return jax.lax.scan(body, (params, tx.init(params)), batches)[1]


def test_eagerly():
    found = loop(functools.partial(step, tx=optimiser()), steps=2)
    assert_same(found, jax.tree.map(lambda leaf: leaf[:2], expected()))


def test_every_second_step_is_recorded():
    (last, ema, ring), (of_last, of_ema, of_ring) = expected()
    np.testing.assert_array_equal(of_last, [0, 0, 2, 2, 4])
    np.testing.assert_array_equal(of_ema, of_last)
    np.testing.assert_array_equal(of_ring[-1], [2, 4])
    np.testing.assert_array_equal(ring["all"].angle[-1], last["all"].angle[[2, 4]])
    assert np.all((np.diff(ema["all"].norm) == 0) == [True, False, True, False])


def test_under_scan():
    assert_as_expected(jax.jit(functools.partial(scanned, optimiser()))(PARAMS, BATCHES))


def test_under_vmap():
    copies = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), PARAMS)
    history = jax.jit(jax.vmap(lambda params: scanned(optimiser(), params, BATCHES)))(copies)
    assert_as_expected(jax.tree.map(lambda leaf: leaf[0], history))
    norm = history[0][0]["all"].norm
    assert norm[1, 0] == pytest.approx(2 * float(norm[0, 0]))


def test_under_vmap_with_a_batch_of_states():
    tx = optimiser()
    copies = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), PARAMS)
    batched = jax.vmap(functools.partial(step, tx=tx), in_axes=(0, None))
    carry = copies, jax.jit(jax.vmap(tx.init))(copies)
    history = jax.jit(lambda carry: jax.lax.scan(batched, carry, BATCHES)[1])(carry)
    assert_as_expected(jax.tree.map(lambda leaf: leaf[:, 0], history))


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
        assert_as_expected(jax.tree.map(lambda leaf, device=device: leaf[device], history))


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
    assert_as_expected(jax.jit(run)(PARAMS, BATCHES))


def over_shards(gradient):
    return gradient / DEVICES


def test_under_jit_with_sharded_parameters(mesh):
    shardings = {"kernel": NamedSharding(mesh, P("d")), "bias": NamedSharding(mesh, P())}
    params = jax.device_put(PARAMS, shardings)
    assert_as_expected(jax.jit(functools.partial(scanned, optimiser()))(params, BATCHES))


# What is sharded: the kernel's rows, over which the norms of its columns are summed; and, of the
# norms of its rows, the norms themselves.
KERNEL = {"kernel": True, "bias": False}
WHOLE = groups.per_axis(-1, KERNEL)
SHARDED = groups.per_axis(-1, KERNEL, axis_name="d")
PER_ROW = groups.per_axis(0, KERNEL)
GRADIENTS = jax.tree.map(lambda leaf: RNG.normal(size=(STEPS, *leaf.shape)), PARAMS)
SPECS = {"kernel": P("d"), "bias": P()}, {"kernel": P(None, "d"), "bias": P()}


def follow(grouping, params, gradients):
    """The history of an optimiser that is given its gradients."""
    tx = optimiser(grouping)

    def body(carry, gradient):
        params, state = carry
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), recorded(state)

    return jax.lax.scan(body, (params, tx.init(params)), gradients)[1]


@functools.cache
def expected_of_columns():
    return jax.jit(functools.partial(follow, WHOLE))(PARAMS, GRADIENTS)


def test_under_shard_map_with_the_parameters_sharded(mesh):
    run = jax.shard_map(
        functools.partial(follow, SHARDED), mesh=mesh, in_specs=SPECS, out_specs=P()
    )
    assert_same(jax.jit(run)(PARAMS, GRADIENTS), expected_of_columns())


def test_under_shard_map_with_the_norms_sharded(mesh):
    following = functools.partial(follow, PER_ROW)
    out_specs = [P(None, "d"), P(None, "d"), P(None, None, "d")], P()
    run = jax.shard_map(following, mesh=mesh, in_specs=SPECS, out_specs=out_specs)
    assert_same(jax.jit(run)(PARAMS, GRADIENTS), jax.jit(following)(PARAMS, GRADIENTS))


def test_under_pmap_with_the_parameters_sharded():
    def rows(leaf, axis):
        return np.stack(np.split(leaf, DEVICES, axis))

    params = {**PARAMS, "kernel": rows(PARAMS["kernel"], 0)}
    gradients = {**GRADIENTS, "kernel": rows(GRADIENTS["kernel"], 1)}
    axes = {"kernel": 0, "bias": None}
    run = jax.pmap(functools.partial(follow, SHARDED), axis_name="d", in_axes=(axes, axes))
    history = run(params, gradients)
    for device in (0, DEVICES - 1):
        assert_same(jax.tree.map(lambda leaf, i=device: leaf[i], history), expected_of_columns())


def test_a_step_that_is_not_recorded_costs_nothing():
    tx = wdjax.tracked(optax.sgd(0.1), every=10)
    jaxpr = jax.make_jaxpr(tx.update)(PARAMS, tx.init(PARAMS), PARAMS).jaxpr
    always = [eqn for eqn in jaxpr.eqns if eqn.primitive.name != "cond"]
    # What is done at each step: the update itself, and counting.
    assert {eqn.primitive.name for eqn in always if eqn.outvars[0].aval.shape} == {"mul"}
    assert "reduce_sum" not in {eqn.primitive.name for eqn in always}
    (cond,) = [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "cond"]
    sizes = [len(branch.eqns) for branch in cond.params["branches"]]
    assert min(sizes) == 0 < max(sizes)


def test_the_structure_of_the_state_never_changes():
    tx = optimiser()
    before = jax.eval_shape(tx.init, PARAMS)
    _, after = jax.eval_shape(tx.update, PARAMS, before, PARAMS)
    assert before == after


def test_the_updates_pass_unchanged():
    inner = wdjax.transforms.sgd_l2(0.1, 0.01, 0.9)
    expected, _ = inner.update(PARAMS, inner.init(PARAMS), PARAMS)
    tx = wdjax.tracked(inner)
    found, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_before_the_first_step_there_is_only_the_norm():
    state = wdjax.tracked(optax.sgd(0.1)).init(PARAMS)
    first = wdjax.metrics(state)["kernel"]
    assert first.norm == pytest.approx(np.linalg.norm(PARAMS["kernel"]))
    assert first.angle == 0
    assert tracking.steps(state) == -1


def test_metrics_are_found_at_any_depth():
    tracked = wdjax.tracked(optax.sgd(0.1))
    tx = optax.MultiSteps(optax.chain(optax.identity(), optax.masked(tracked, True)), 2)
    assert set(wdjax.metrics(tx.init(PARAMS))) == {"kernel", "bias"}


def test_symmetries_are_norm_groups():
    def blind(params, x):
        y = x @ params["kernel"]
        return jnp.mean(jnp.tanh((y - y.mean(0)) / y.std(0) + params["bias"]))

    found = wdjax.symmetry.find(blind, PARAMS, BATCHES[0][0])
    tx = wdjax.tracked(optax.sgd(0.1), found, tracking.ema(0.9))
    gradients = jax.grad(blind)(PARAMS, BATCHES[0][0])
    _, state = jax.jit(tx.update)(gradients, tx.init(PARAMS), PARAMS)
    kernel = wdjax.metrics(state)
    assert set(kernel) == {"kernel"}
    assert kernel["kernel"].norm.shape == (4,)
    np.testing.assert_allclose(kernel["kernel"].cosine, 0, atol=1e-12)


def test_in_an_nnx_optimizer():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    tx = optax.chain(optax.clip(1.0), optimiser(None))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    before = nnx.to_pure_dict(nnx.state(model))["kernel"]

    @nnx.jit
    def step(model, optimizer):
        grads = nnx.grad(lambda model: jnp.sum(model(jnp.ones((1, 3))) ** 2))(model)
        optimizer.update(model, grads)
        return wdjax.metrics(optimizer.opt_state)

    inside = [step(model, optimizer) for _ in range(2)][-1]
    (last, ema, ring), steps = recorded(optimizer.opt_state)
    assert_same([last, ema, ring], inside)
    assert isinstance(last["kernel"].norm, jax.Array)
    for norm in (last["kernel"].norm, ema["kernel"].norm, ring["kernel"].norm[-1]):
        np.testing.assert_allclose(norm, np.linalg.norm(before), rtol=1e-6)
    assert [np.ravel(step)[-1] for step in steps] == [0, 0, 0]


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 0}, "every is 0; expected a whole number from 1 on"),
        ({"every": 1.5}, "every is 1.5"),
        ({"record": tracking.ema}, r"expected a recorder: tracking.last\(\)"),
    ],
)
def test_bad_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        wdjax.tracked(optax.sgd(0.1), **settings)


def test_around_gradient_accumulation_it_is_refused():
    tx = wdjax.tracked(optax.MultiSteps(optax.sgd(0.1), 4).gradient_transformation())
    with pytest.raises(ValueError, match=r"put it inside: optax\.MultiSteps\(tracked\(tx\), k\)"):
        tx.init({"w": jnp.ones(2)})
