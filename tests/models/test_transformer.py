import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax.groups import Group, Member
from wdjax.models import CharTransformer
from wdjax.symmetry import assert_scale_invariant, find
from wdjax.trees import named_leaves

TOKENS = np.random.default_rng(0).integers(0, 11, (2, 7))
MODEL = CharTransformer(vocabulary=11, width=8, heads=2, blocks=2, context=7, epsilon=0.0)

MATRICES = {f"{n}_{b}/kernel" for b in (0, 1) for n in ("q", "k", "v", "o", "up", "down")}


@pytest.fixture(scope="module")
def params():
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        shapes = jax.eval_shape(MODEL.init, jax.random.key(0), TOKENS)["params"]
        return jax.tree.map(lambda leaf: jnp.asarray(0.5 + rng.normal(size=leaf.shape)), shapes)


def loss(params):
    logits = MODEL.apply({"params": params}, TOKENS[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, TOKENS[:, 1:]).mean()


def test_precisely_the_matrices_within_blocks_are_invariant(params):
    found = find(loss, params)
    matrices = {name for name in found.invariant if named_leaves(params)[name].ndim > 1}
    assert matrices == MATRICES
    assert {"head/kernel", "embed/embedding", "positions"} <= set(found.blockers)


def test_the_loss_does_not_see_their_scale(params):
    chosen = tuple(Group(name, (Member(name),)) for name in MATRICES)
    assert_scale_invariant(loss, params, groups=chosen)
    with pytest.raises(AssertionError):
        assert_scale_invariant(loss, params, groups=(Group("head", (Member("head/kernel"),)),))


def test_no_character_sees_what_follows_it(params):
    def logits_at(position, later):
        changed = TOKENS.copy()
        changed[:, position + 1 :] = later
        return MODEL.apply({"params": params}, changed)[:, : position + 1]

    np.testing.assert_allclose(logits_at(3, 0), logits_at(3, 5), rtol=1e-12)


def test_each_character_sees_all_before_it(params):
    changed = TOKENS.copy()
    changed[:, 0] = (changed[:, 0] + 1) % 11
    one, other = (MODEL.apply({"params": params}, tokens)[:, -1] for tokens in (TOKENS, changed))
    assert jnp.all(jnp.max(jnp.abs(one - other), axis=-1) > 1e-4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (CharTransformer(11, width=8, heads=3), "not a multiple of 3 heads"),
        (CharTransformer(11, width=8, context=6), "7 characters are more than the context of 6"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        model.init(jax.random.key(0), TOKENS)
