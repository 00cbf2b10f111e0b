import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wdjax.models import ResNet, convolution_kernels, kernels_3x3, patch_convolution
from wdjax.trees import named_leaves

IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)


def init(model, seed=0):
    return model.init(jax.random.key(seed), IMAGES, train=True)


def sum_of_squares(params, mask):
    chosen = jax.tree.map(lambda leaf, wanted: jnp.sum(leaf**2) if wanted else 0.0, params, mask)
    return float(sum(jax.tree.leaves(chosen)))


def test_resnet_20_has_the_init_of_l2_and_batch_norm():
    sums, count = [], 0
    for seed in range(5):
        params = init(ResNet(depth=20), seed)["params"]
        mask = convolution_kernels(params)
        sums.append(sum_of_squares(params, mask))
        count = sum(jax.tree.leaves(mask))
    assert count == 22
    assert np.mean(sums) == pytest.approx(800, abs=10)
    entries = sum(leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim == 4)
    assert entries == 270_512  # as the article's network has


def test_resnet_8_has_seven_3x3_kernels_of_sum_of_squares_240():
    params = init(ResNet(depth=8))["params"]
    mask = kernels_3x3(params)
    assert sum(jax.tree.leaves(mask)) == 7
    assert sum_of_squares(params, mask) == pytest.approx(240, abs=10)


@pytest.mark.parametrize("norm", ["batch", "layer", "group"])
@pytest.mark.parametrize("depth", [8, 20])
def test_every_norm_gives_finite_logits_and_running_averages_only_for_batch_norm(norm, depth):
    model = ResNet(depth=depth, norm=norm, classes=7)
    variables = init(model)
    logits, changed = model.apply(variables, IMAGES, train=True, mutable=["batch_stats"])
    assert logits.shape == (4, 7)
    assert jnp.all(jnp.isfinite(logits))
    assert bool(changed) == (norm == "batch")
    assert model.apply(variables, IMAGES, train=False).shape == (4, 7)


def test_images_of_any_size_keep_their_parameters():
    sizes = [[leaf.shape for leaf in named_leaves(init_at(size)).values()] for size in (8, 32)]
    assert sizes[0] == sizes[1]


def init_at(size):
    images = jnp.ones((2, size, size, 3), jnp.float32)
    return ResNet(depth=8).init(jax.random.key(0), images, train=True)["params"]


def test_the_patch_convolution_gives_the_same_network():
    variables = init(ResNet(depth=8))
    plain = ResNet(depth=8).apply(variables, IMAGES, train=False)
    patches = ResNet(depth=8, convolution=patch_convolution).apply(variables, IMAGES, train=False)
    np.testing.assert_allclose(patches, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", [{"depth": 9}, {"depth": 2}, {"norm": "weight"}])
def test_unknown_architectures_are_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        init(ResNet(**bad))
