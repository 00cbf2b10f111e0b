import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wdjax import trees

PARAMS = {"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}, "steps": jnp.array(1)}


def test_leaves_are_named_by_path_and_put_back_in_order():
    leaves = trees.named_leaves(PARAMS)
    assert list(leaves) == ["dense/bias", "dense/kernel", "steps"]
    assert trees.with_leaves(PARAMS, [1, 2, 3]) == {"dense": {"bias": 1, "kernel": 2}, "steps": 3}


@pytest.mark.parametrize(
    "mask",
    [
        {"dense": {"kernel": True, "bias": False}, "steps": False},
        lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
        {"dense": {"kernel": np.bool_(True), "bias": False}, "steps": True},
    ],
)
def test_masks_are_trees_or_functions_and_never_choose_integers(mask):
    chosen = trees.resolve_mask(mask, PARAMS)
    assert chosen == {"dense": {"kernel": True, "bias": False}, "steps": False}


def test_a_prefix_chooses_the_subtree():
    chosen = trees.resolve_mask({"dense": True, "steps": False}, PARAMS)
    assert chosen == {"dense": {"kernel": True, "bias": True}, "steps": False}


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"dense": False, "steps": True}, "chooses no floating-point leaf.*dense/bias"),
        ({"dens": True}, "does not fit"),
        ({"dense": 1, "steps": False}, "holds int"),
    ],
)
def test_a_bad_mask_is_an_error_that_says_why(mask, message):
    with pytest.raises(ValueError, match=message):
        trees.resolve_mask(mask, PARAMS)


def test_missing_params_are_explained():
    with pytest.raises(ValueError, match="third argument"):
        trees.require_params(None, "retract")


def test_a_difference_in_structure_names_the_leaves():
    with pytest.raises(ValueError, match=r"only in updates: dense/extra; only in params: .*steps"):
        trees.require_same_structure({"dense": {"extra": 1}}, PARAMS, "retract")


def test_a_difference_in_shape_names_the_leaf():
    updates = {"dense": {"kernel": jnp.ones((2, 4)), "bias": None}, "steps": None}
    with pytest.raises(ValueError, match=r"shape \(2, 4\) for 'dense/kernel'.*shape \(2, 3\)"):
        trees.require_same_structure(updates, PARAMS, "retract")


def test_two_leaves_of_one_path_are_refused():
    with pytest.raises(ValueError, match="have the path 'a/b'"):
        trees.named_leaves({"a": {"b": 1}, "a/b": 2})


def test_safe_functions_have_finite_gradients_at_zero():
    assert trees.safe_sqrt(jnp.array(0.0)) == 0
    assert jax.grad(trees.safe_sqrt)(0.0) == 0
    assert jax.grad(lambda d: trees.safe_divide(jnp.array(1.0), d))(0.0) == 0
    assert jnp.isnan(trees.safe_sqrt(jnp.array(jnp.nan)))


def test_sums_of_half_precision_are_taken_in_single():
    assert trees.accumulation_dtype(jnp.ones(1, jnp.bfloat16)) == jnp.float32
    assert trees.accumulation_dtype(jnp.ones(1, jnp.float64)) == jnp.float64
    assert trees.accumulation_dtype(jnp.array(1.0)) == jnp.float64  # weakly typed


def test_different_node_types_are_explained():
    with pytest.raises(ValueError, match="different node types"):
        trees.require_same_structure({"w": [1, 2]}, {"w": (1, 2)}, "retract")


def test_a_tree_without_leaves_has_nothing_to_choose():
    assert trees.resolve_mask(lambda tree: tree, {"w": None}) == {"w": None}
