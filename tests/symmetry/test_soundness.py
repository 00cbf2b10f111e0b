"""Losses that are made to mislead the prover: nothing false may be reported of any."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from wdjax.symmetry import find
from wdjax.trees import named_leaves

TABLE = jnp.array([[0, 1, 2], [3, 4, 0], [1, 1, 3]])
WEIGHTS = jnp.array([1.0, 2.0, 3.0])


def tanh(y):
    return jnp.sum(jnp.tanh(y))


def summed_under_vmap(p):
    """Under vmap a sum over a named axis is one over an axis of the array."""
    return tanh(jax.vmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(p["w"]))


def delay(p):
    """A value goes through many carries, all of them zero at first, before it comes out."""
    carry = tuple(jnp.zeros(5) for _ in range(7))
    carry, _ = lax.scan(lambda c, _: ((*c[1:], p["w"]), None), carry, None, length=9)
    return tanh(carry[0])


def delay_in_while(p):
    def body(state):
        step, carry = state
        return step + 1, (*carry[1:], p["w"])

    carry = tuple(jnp.zeros(5) for _ in range(7))
    return tanh(lax.while_loop(lambda state: state[0] < 9, body, (0, carry))[1][0])


def chain_of_slices(p):
    """Each leaf has to be cut because the one before was: more often than the prover looks."""
    names = sorted(p)
    total = p[names[0]][:1].sum()
    for one, other in pairwise(names):
        total = total + tanh((p[one] + p[other]) / jnp.sum(p[one]))
    return total


def looked_up_and_transposed(p):
    x = p["w"][TABLE]
    return tanh((x + x.T) / x)


def looked_up_and_contracted_into_another_order(p):
    x = p["w"][TABLE]
    return tanh(x / jnp.einsum("bt,t->tb", x, WEIGHTS))


def looked_up_in_each_iteration(p):
    _, found = lax.scan(lambda carry, i: (carry, p["w"][i]), 0.0, TABLE)
    return tanh(found / found.sum(0))


def looked_up_by_two(p):
    return tanh(p["w"][TABLE] / p["w"][TABLE[::-1]])


def carried_from_a_look_up(p):
    def step(carry, i):
        return p["w"][i], jnp.tanh(p["w"][i] / carry)

    return jnp.sum(lax.scan(step, p["w"][2], TABLE[0])[1])


def filled(p):
    found = p["w"].at[jnp.array([0, 1, 9])].get(mode="fill", fill_value=1.0)
    return tanh(found / jnp.linalg.norm(p["w"]))


def written_to_a_reference(p):
    reference = jax.new_ref(jnp.zeros(5))
    reference[...] = p["w"]
    return tanh(reference[...])


def stopped_in_a_growing_carry(p):
    carry, _ = lax.scan(lambda c, _: (lax.stop_gradient(c) * p["g"], None), p["w"], None, length=3)
    return tanh(carry / p["v"])


def stopped_beside_what_grows(p):
    def step(carry, _):
        return (carry[0] * p["g"], lax.stop_gradient(carry[0]) * p["g"]), None

    carry, _ = lax.scan(step, (p["w"], p["w"]), None, length=3)
    return tanh(carry[0] / carry[1])


def padded_inside(p):
    return tanh(lax.pad(p["w"], 0.0, [(0, -4, 1)]) / p["w"])


def shifted_by_a_window(p):
    shifted = lax.reduce_window(p["w"], 0.0, lax.add, (1,), (1,), [(1, -1)])
    return tanh((shifted + 1e-30) / p["w"])


def masked_and_asked_for_being_finite(p):
    scores = jnp.where(jnp.arange(5) < 3, WEIGHTS.sum() + p["b"], -jnp.inf)
    shown = jnp.where(jnp.isfinite(scores), scores, 0.0)
    return tanh(shown - shown.max())


def largest_of_one_masked_entry(p):
    masked = jnp.where(jnp.arange(5)[:, None] < 3, p["b"], -jnp.inf).max(1)
    shown = jnp.where(jnp.isfinite(masked), masked, 0.0)
    return tanh(shown - shown.max())


def product_as_exponent(p):
    return tanh(p["w"] ** jnp.prod(jnp.full((3,), 2.0)) / jnp.sum(p["w"] ** 2))


def whole_division_as_exponent(p):
    exponent = lax.div(jnp.full((), 5), jnp.full((), 2)).astype(float)
    return tanh(p["w"] ** exponent / jnp.sum(p["w"] ** 2.5))


def rounded_exponent(p):
    exponent = jnp.full((), 2.5).astype(int).astype(float)
    return tanh(p["w"] ** exponent / jnp.sum(p["w"] ** 2.5))


def tiny_exponent(p):
    return tanh(jnp.sum(p["w"]) ** 4e-7 * 1e3)


def cross_ratios(p):
    """Rows and columns may be scaled, not each entry; so large that pairs are left out."""
    w = jnp.outer(p["w"], jnp.ones(5)) * p["m"]
    return tanh(w[1:, 1:] * w[:-1, :-1] / (w[1:, :-1] * w[:-1, 1:]))


def sinkhorn(p):
    logs = jnp.log(p["m"] ** 2)
    logs = logs - logs.mean(0) - logs.mean(1, keepdims=True)
    return tanh(logs)


def swapped_carries(p):
    def step(carry, _):
        return (carry[1] * p["g"], carry[0]), None

    carry, _ = lax.scan(step, (p["w"], p["v"]), None, length=3)
    return tanh(carry[0] / carry[1])


def transposed_carry(p):
    carry, _ = lax.scan(lambda c, _: (c.T / jnp.sum(c), None), p["m"], None, length=3)
    return tanh(carry * WEIGHTS.sum() / jnp.sum(p["m"], 0))


def a_layer_and_the_whole_stack(p):
    def step(carry, w):
        return carry, jnp.tanh(w / p["m"][0])

    return jnp.sum(lax.scan(step, 0.0, p["m"])[1])


def looked_up_by_the_device(p):
    def body(w):
        x = w[lax.axis_index("x")]
        return jnp.tanh(x / lax.psum(x, "x"))[None]

    mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec()
    shards = jax.shard_map(body, mesh=mesh, in_specs=spec, out_specs=PartitionSpec("x"))
    return jnp.sum(shards(p["w"]))


def never_iterated(p):
    carry, _ = lax.scan(lambda c, _: (0 * c, None), p["w"], None, length=0)
    return tanh(carry)


def zero_where_a_relu_is(p):
    h = jax.nn.relu(p["w"] - 1.0)
    return tanh(h / jnp.where(h == 0, 1.0, h))


LOSSES = [
    summed_under_vmap, delay, delay_in_while, looked_up_and_transposed,
    looked_up_and_contracted_into_another_order, looked_up_in_each_iteration, looked_up_by_two,
    carried_from_a_look_up, filled, written_to_a_reference, stopped_in_a_growing_carry,
    stopped_beside_what_grows, padded_inside, shifted_by_a_window,
    masked_and_asked_for_being_finite, largest_of_one_masked_entry, product_as_exponent,
    whole_division_as_exponent, rounded_exponent, tiny_exponent, cross_ratios, sinkhorn,
    swapped_carries, transposed_carry, never_iterated, a_layer_and_the_whole_stack,
    looked_up_by_the_device, zero_where_a_relu_is,
]  # fmt: skip


def parameters():
    rng = np.random.default_rng(0)
    shapes = {"w": (5,), "v": (5,), "b": (), "g": (), "m": (5, 5)}
    return {name: jnp.asarray(rng.uniform(0.5, 2.0, shape)) for name, shape in shapes.items()}


def assert_nothing_false(loss, params):
    found = find(loss, params)
    derivative = jax.jacfwd if loss is delay_in_while else jax.grad  # which cannot go back in it
    before, gradient = loss(params), derivative(loss)(params)
    leaves, slopes = named_leaves(params), named_leaves(gradient)
    for seed in range(3):
        factors = found.random_scaling(params, np.random.default_rng(seed))
        after = loss(jax.tree.map(jnp.multiply, params, factors))
        assert float(after) == pytest.approx(float(before), rel=1e-9)
    for vector in found.basis:
        along = sum(float(d) * float(jnp.vdot(leaves[n], slopes[n])) for n, d in vector.items())
        assert along == pytest.approx(0, abs=1e-9)
    for name, axes in found.invariant.items():
        others = tuple(i for i in range(leaves[name].ndim) if i not in axes)
        assert np.allclose(jnp.sum(leaves[name] * slopes[name], others), 0, atol=1e-9)
    for name in (*found.dead, *found.unused):
        assert np.allclose(slopes[name], 0, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_false_is_reported(loss):
    assert_nothing_false(loss, parameters())


def test_leaves_that_have_to_be_cut_one_after_the_other():
    rng = np.random.default_rng(0)
    params = {f"w{i:02}": jnp.asarray(rng.uniform(0.5, 2.0, 4)) for i in range(12)}
    assert_nothing_false(chain_of_slices, params)


def test_parts_that_are_left_out_are_not_taken_for_free():
    params = {"w": jnp.linspace(1.0, 2.0, 30), "m": jnp.ones((30, 5)) + jnp.eye(30, 5)}
    assert_nothing_false(cross_ratios, params)


@pytest.mark.parametrize("exponent", [jnp.inf, jnp.nan])
def test_a_power_that_is_no_number_has_an_answer(exponent):
    assert not find(lambda p: jnp.sum(p["w"] ** exponent), {"w": jnp.ones(3)}).invariant


def test_an_empty_part_has_an_answer():
    def loss(params):
        return tanh(params["w"][:0]) + tanh(params["w"] / jnp.sum(params["w"]))

    assert find(loss, {"w": jnp.ones(3)}).invariant == {"w": ()}


def test_many_cuts_of_one_axis_have_an_answer_soon():
    def loss(params):
        return tanh(params["w"].reshape((2,) * 14).sum(3))

    assert not find(loss, {"w": jnp.ones(2**14)}).invariant
