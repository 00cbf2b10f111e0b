"""What holds for every transformation, whatever wraps it."""

import functools
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from orbax.checkpoint import v1 as ocp

import wdjax
from tests.transforms.registry import ALL, REGISTRY
from wdjax import transforms

STEPS = 5
SHAPES = {"kernel": (8, 3), "bias": (4,), "other": (2, 2, 3)}
NAMES = pytest.mark.parametrize("name", ALL)
# Each of many programs takes a few steps only: what the compiler saves is more than they lose.
compile_cheaply = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def drawn(seed, dtype=jnp.float32):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()}


def types(tree):
    return jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree)


def step(tx, carry, grads, **extra):
    params, state = carry
    updates, state = tx.update(grads, state, params, **extra)
    return optax.apply_updates(params, updates), state


def trained(tx, steps=STEPS, dtype=jnp.float32, jit=True):
    """The weights after some steps of drawn gradients."""
    take = compiled(tx) if jit else step_of(tx)
    carry = (drawn(0, dtype), tx.init(drawn(0, dtype)))
    for seed in range(1, steps + 1):
        carry = take(carry, drawn(seed, dtype))
    return carry


def step_of(tx):
    return lambda carry, grads: step(tx, carry, grads)


@functools.cache
def made(name):
    """One instance for all tests, which would find out one that remembers; compiled but once."""
    return ALL[name]()


@functools.lru_cache(maxsize=128)
def compiled(tx):
    return compile_cheaply(step_of(tx))


def close(a, b, rtol=1e-5):
    chex.assert_trees_all_close(a, b, rtol=rtol, atol=1e-6)


def test_the_registry_is_complete():
    """Every public function that makes a transformation is in the registry."""
    makers = {
        name
        for package in (transforms, transforms.twins)
        for name in package.__all__
        if inspect.isfunction(maker := getattr(package, name))
        and "GradientTransformation" in str(inspect.signature(maker).return_annotation)
    }
    assert makers == {entry.make.__name__ for entry in REGISTRY.values()}


@NAMES
class TestState:
    def test_structure_shapes_and_dtypes_never_change(self, name):
        tx = made(name)
        state = tx.init(drawn(0))
        _, after = trained(tx, steps=2)
        assert jax.tree.structure(state) == jax.tree.structure(after)
        assert types(state) == types(after)

    def test_the_second_call_does_not_compile_again(self, name):
        tx = made(name)
        take = compile_cheaply(step_of(tx))
        carry = take((drawn(0), jax.jit(tx.init)(drawn(0))), drawn(1))
        take(carry, drawn(2))
        assert take._cache_size() == 1

    def test_weights_and_state_can_be_donated(self, name):
        tx = made(name)
        take = compile_cheaply(step_of(tx), donate_argnums=0)
        params = drawn(0)
        carry = (params, tx.init(params))
        for seed in range(1, STEPS + 1):
            carry = take(carry, drawn(seed))
        close(carry[0], trained(tx)[0])

    def test_optax_can_map_over_what_is_shaped_like_parameters(self, name):
        tx = made(name)
        state = tx.init(drawn(0))
        mapped = optax.tree.map_params(tx, lambda leaf: leaf + 0, state)
        assert jax.tree.structure(mapped) == jax.tree.structure(state)

    def test_a_checkpoint_restores_it_bit_for_bit(self, name, tmp_path):
        tx = made(name)
        carry = trained(tx, steps=3)
        ocp.save(tmp_path / "state", carry)
        restored = ocp.load(tmp_path / "state", jax.tree.map(jnp.zeros_like, carry))
        chex.assert_trees_all_equal(restored, carry)
        chex.assert_trees_all_equal(step(tx, restored, drawn(9)), step(tx, carry, drawn(9)))


@NAMES
class TestDtypes:
    @pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float64])
    def test_updates_and_weights_keep_theirs(self, name, dtype):
        tx = made(name)
        params, grads = drawn(0, dtype), drawn(1, dtype)
        updates, _ = tx.update(grads, tx.init(params), params)
        assert types(updates) == types(grads)
        chex.assert_tree_all_finite(trained(tx, steps=3, dtype=dtype)[0])

    @pytest.mark.parametrize("pair", [(jnp.bfloat16, jnp.float32), (jnp.float32, jnp.bfloat16)])
    def test_weights_and_gradients_of_different_dtypes(self, name, pair):
        tx = made(name)
        params, grads = drawn(0, pair[0]), drawn(1, pair[1])
        state = tx.init(params)
        updates, after = tx.update(grads, state, params)
        assert types(updates) == types(grads)
        assert types(after) == types(state)

    def test_leaves_of_different_dtypes(self, name):
        tx = made(name)
        dtypes = {"kernel": jnp.float32, "bias": jnp.bfloat16, "other": jnp.float16}
        params, grads = (
            {leaf: drawn(seed)[leaf].astype(dtype) for leaf, dtype in dtypes.items()}
            for seed in (0, 1)
        )
        updates, _ = tx.update(grads, tx.init(params), params)
        assert types(updates) == types(grads)


@NAMES
class TestTransformationsOfJax:
    def test_eagerly_as_compiled(self, name):
        close(trained(made(name), steps=2, jit=False), trained(made(name), steps=2))

    def test_vmap_is_each_member_by_itself(self, name):
        tx = made(name)
        params, grads = (
            jax.tree.map(lambda *leaves: jnp.stack(leaves), *(drawn(seed) for seed in seeds))
            for seeds in ((0, 1, 2), (3, 4, 5))
        )
        state = jax.vmap(tx.init)(params)
        together, _ = jax.vmap(lambda p, s, g: step(tx, (p, s), g))(params, state, grads)
        for i in range(3):
            alone, _ = step(tx, (drawn(i), tx.init(drawn(i))), drawn(3 + i))
            close(jax.tree.map(lambda leaf, i=i: leaf[i], together), alone)

    def test_scan_is_the_loop(self, name):
        tx = made(name)
        stacked = jax.tree.map(
            lambda *leaves: jnp.stack(leaves), *(drawn(seed) for seed in range(1, STEPS + 1))
        )
        end, _ = jax.lax.scan(
            lambda carry, grads: (step(tx, carry, grads), None),
            (drawn(0), tx.init(drawn(0))),
            stacked,
        )
        close(end, trained(tx))

    def test_sharded_weights_on_eight_devices(self, name):
        tx = made(name)
        mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
        sharding = {
            leaf: NamedSharding(mesh, PartitionSpec("data" if leaf == "kernel" else None))
            for leaf in SHAPES
        }
        params = jax.device_put(drawn(0), sharding)
        carry = (params, jax.jit(tx.init)(params))
        take = compile_cheaply(step_of(tx))
        for seed in range(1, STEPS + 1):
            carry = take(carry, jax.device_put(drawn(seed), sharding))
        assert len(carry[0]["kernel"].sharding.device_set) == 8
        close(carry[0], trained(tx)[0])


@NAMES
class TestWrappersOfOptax:
    def test_extra_arguments_pass(self, name):
        tx = optax.with_extra_args_support(made(name))
        plain, _ = tx.update(drawn(1), tx.init(drawn(0)), drawn(0))
        extra, _ = tx.update(drawn(1), tx.init(drawn(0)), drawn(0), value=1.0, unknown=None)
        chex.assert_trees_all_equal(plain, extra)

    def test_masked_leaves_pass(self, name):
        mask = {"kernel": True, "bias": True, "other": False}
        masked = optax.masked(made(name), mask)
        updates, _ = masked.update(drawn(1), masked.init(drawn(0)), drawn(0))
        np.testing.assert_array_equal(updates["other"], drawn(1)["other"])
        chosen = [{k: tree[k] for k in ("kernel", "bias")} for tree in (drawn(0), drawn(1))]
        tx = made(name)
        alone, _ = tx.update(chosen[1], tx.init(chosen[0]), chosen[0])
        if name != "stochastic_rounding":
            close({k: updates[k] for k in alone}, alone)

    def test_a_part_of_a_partition(self, name):
        labels = {"kernel": "it", "bias": "it", "other": "sgd"}
        tx = optax.partition({"it": made(name), "sgd": optax.sgd(0.1)}, labels)
        updates, _ = tx.update(drawn(1), tx.init(drawn(0)), drawn(0))
        np.testing.assert_allclose(updates["other"], -0.1 * drawn(1)["other"], rtol=1e-6)
        masked = optax.masked(made(name), jax.tree.map(lambda label: label == "it", labels))
        expected, _ = masked.update(drawn(1), masked.init(drawn(0)), drawn(0))
        close(updates["kernel"], expected["kernel"])

    def test_a_mask_that_leaves_it_nothing(self, name):
        if "joint" not in name:
            weight, grad = drawn(0)["kernel"], drawn(1)["kernel"]
            tx = optax.masked(made(name), False)
            np.testing.assert_array_equal(tx.update(grad, tx.init(weight), weight)[0], grad)

    def test_multi_steps_takes_one_step_of_the_mean_gradient(self, name):
        """So decay acts once per real step, and not on every micro-step."""
        tx = made(name)
        multi = optax.MultiSteps(tx, 3).gradient_transformation()
        micro, real = (drawn(0), multi.init(drawn(0))), (drawn(0), tx.init(drawn(0)))
        take = compile_cheaply(step_of(multi))  # eagerly, each `cond` would be compiled anew
        for round_ in range(2):
            parts = [drawn(10 * round_ + i) for i in range(1, 4)]
            for grads in parts:
                before = micro[0]
                micro = take(micro, grads)
                if grads is not parts[-1]:
                    chex.assert_trees_all_equal(micro[0], before)
            mean = jax.tree.map(lambda *leaves: sum(leaves) / 3, *parts)
            real = step(tx, real, mean)
        close(micro[0], real[0])

    def test_a_step_that_is_not_finite_changes_nothing(self, name):
        tx = optax.apply_if_finite(made(name), max_consecutive_errors=3)
        params, state = trained(tx, steps=2)
        take = compiled(tx)
        broken = jax.tree.map(lambda leaf: leaf * np.nan, drawn(1))
        skipped, after = take((params, state), broken)
        chex.assert_trees_all_equal(skipped, params)
        chex.assert_trees_all_equal(after.inner_state, state.inner_state)
        close(take((skipped, after), drawn(3))[0], take((params, state), drawn(3))[0])

    def test_behind_a_clipped_gradient(self, name):
        tx = optax.chain(optax.clip_by_global_norm(0.5), made(name))
        clipped = jax.tree.map(lambda g: g * 0.5 / optax.tree.norm(drawn(1)), drawn(1))
        params, _ = step(tx, (drawn(0), tx.init(drawn(0))), drawn(1))
        plain, _ = step(made(name), (drawn(0), made(name).init(drawn(0))), clipped)
        close(params, plain)

    def test_tracked(self, name):
        tx = wdjax.tracked(made(name))
        _, state = step(tx, (drawn(0), tx.init(drawn(0))), drawn(1))
        assert set(wdjax.metrics(state)) == set(SHAPES)


@pytest.mark.parametrize("name", [name for name, entry in REGISTRY.items() if entry.numbers])
class TestInjectedHyperparameters:
    def injected(self, name, numbers):
        entry = REGISTRY[name]
        make = optax.inject_hyperparams(entry.make, static_args=tuple(entry.fixed))
        return make(**numbers, **entry.fixed)

    def test_are_the_numbers_themselves(self, name):
        tx = self.injected(name, REGISTRY[name].numbers)
        close(trained(tx)[0], trained(made(name))[0], rtol=1e-4)

    def test_may_be_schedules(self, name):
        """A schedule that falls from step to step is the number of each step."""
        numbers = REGISTRY[name].numbers
        for chosen, value in numbers.items():
            scheduled = self.injected(name, numbers | {chosen: lambda t, v=value: v / (1 + t)})
            by_hand = self.injected(name, numbers)
            params, state = drawn(0), by_hand.init(drawn(0))
            for count in range(2):
                state.hyperparams[chosen] = jnp.asarray(value / (1 + count), jnp.float32)
                params, state = step(by_hand, (params, state), drawn(count + 1))
            close(trained(scheduled, steps=2)[0], params, rtol=1e-4)

    def test_may_be_changed_in_the_state(self, name):
        entry = REGISTRY[name]
        half = {key: value / 2 for key, value in entry.numbers.items()}
        tx = self.injected(name, entry.numbers)
        state = tx.init(drawn(0))
        state.hyperparams.update({key: jnp.asarray(value) for key, value in half.items()})
        changed, _ = step(tx, (drawn(0), state), drawn(1))
        plain = entry.make(**half, **entry.fixed)
        close(changed, step(plain, (drawn(0), plain.init(drawn(0))), drawn(1))[0], rtol=1e-4)


@NAMES
class TestLeaves:
    def test_a_weight_that_is_zero(self, name):
        params = drawn(0) | {"kernel": jnp.zeros(SHAPES["kernel"])}
        tx = made(name)
        after, state = step(tx, (params, tx.init(params)), drawn(1))
        chex.assert_tree_all_finite((after, jax.tree.map(jnp.asarray, state)))

    def test_a_gradient_that_is_zero(self, name):
        tx = made(name)
        zero = jax.tree.map(jnp.zeros_like, drawn(0))
        after, _ = step(tx, (drawn(0), tx.init(drawn(0))), zero)
        chex.assert_tree_all_finite(after)

    def test_a_missing_update_stays_missing_or_is_refused_by_name(self, name):
        tx = made(name)
        grads = drawn(1) | {"other": None}
        try:
            updates, _ = tx.update(grads, tx.init(drawn(0)), drawn(0))
        except ValueError as error:
            assert "'other'" in str(error), error
        else:
            assert updates["other"] is None

    def test_an_integer_leaf_passes(self, name):
        if ALL[name].optimiser:
            pytest.skip("Optax's own optimisers decide")
        params, grads = drawn(0) | {"n": jnp.array(3)}, drawn(1) | {"n": jnp.array(1)}
        tx = made(name)
        updates, _ = tx.update(grads, tx.init(params), params)
        assert updates["n"] == 1
        assert updates["n"].dtype == grads["n"].dtype

    def test_a_single_number_is_trained_or_refused(self, name):
        params, grads = drawn(0) | {"scale": jnp.array(3.0)}, drawn(1) | {"scale": jnp.array(1.0)}
        tx = made(name)
        if ALL[name].sphere:
            with pytest.raises(ValueError, match="'scale' takes a norm over a single number"):
                tx.init(params)
        else:
            updates, _ = tx.update(grads, tx.init(params), params)
            assert types(updates) == types(grads)

    def test_no_leaves(self, name):
        if "joint" not in name:
            tx = made(name)
            assert tx.update({}, tx.init({}), {})[0] == {}


@pytest.mark.parametrize("name", ALL)
def test_under_nnx_optimizer(name):
    entry = ALL[name]
    if "joint" in name:
        pytest.skip("its leaves have other names")
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, entry(), wrt=nnx.Param)

    @nnx.jit
    def take(model, optimizer):
        grads = nnx.grad(lambda model: jnp.sum(model(jnp.ones((1, 3))) ** 2))(model)
        optimizer.update(model, grads)

    with jax.enable_x64(False):
        before = nnx.to_pure_dict(nnx.state(model))["kernel"]
        for _ in range(2):
            take(model, optimizer)
        assert np.any(nnx.to_pure_dict(nnx.state(model))["kernel"] != before)
