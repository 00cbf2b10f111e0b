"""Training set-ups as they are known to work, on small networks: none of them has a fault."""

import functools
from typing import Any, NamedTuple

import jax
import optax

from tests.auditing.linter import models
from wdjax import symmetry, transforms


class Recipe(NamedTuple):
    """A set-up: what `wdjax.audit` takes."""

    loss: Any
    params: Any
    args: tuple
    tx: optax.GradientTransformation
    steps: int


def by_rank(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)


def by_key(*keys):
    """A mask of the leaves whose last key is one of these."""

    def mask(params):
        def chosen(path, _):
            return jax.tree_util.keystr(path[-1:], simple=True) in keys

        return jax.tree_util.tree_map_with_path(chosen, params)

    return mask


def warm_cosine(peak, steps):
    return optax.warmup_cosine_decay_schedule(0.0, peak, steps // 20, steps, peak / 10)


def sgd(lr, weight_decay, mask=by_rank, *, nesterov=False):
    decay = optax.add_decayed_weights(weight_decay, mask)
    return optax.chain(decay, optax.sgd(lr, 0.9, nesterov))


@functools.cache
def resnet_sgd():
    """He et al. 2015: momentum, L2 on the kernels, drops of the learning rate."""
    lr = optax.piecewise_constant_schedule(0.1, {5000: 0.1, 7500: 0.1})
    return Recipe(*models.linen(models.ResNet()), sgd(lr, 5e-4), 10_000)


def wide_resnet():
    """Zagoruyko & Komodakis 2016: Nesterov momentum."""
    lr = optax.piecewise_constant_schedule(0.1, {3000: 0.2, 6000: 0.2, 8000: 0.2})
    return Recipe(*models.linen(models.WideResNet()), sgd(lr, 5e-4, nesterov=True), 10_000)


def flax_imagenet():
    """The ImageNet example of Flax: L2 in the loss for what has more than one axis."""
    loss, params, args, *_ = resnet_sgd()

    def penalised(params, *args):
        squares = sum((p**2).sum() for p in jax.tree.leaves(params) if p.ndim > 1)
        return loss(params, *args) + 1e-3 * 0.5 * squares

    tx = optax.sgd(warm_cosine(0.1, 10_000), 0.9, nesterov=True)
    return Recipe(penalised, params, args, tx, 10_000)


def gpt():
    """NanoGPT: AdamW on what has two axes, clipped gradients, warm-up and cosine."""
    adamw = optax.adamw(warm_cosine(1e-3, 20_000), 0.9, 0.95, weight_decay=0.1, mask=by_rank)
    tx = optax.chain(optax.clip_by_global_norm(1.0), adamw)
    model = models.linen(models.GPT(bias=False), models.next_token, (models.TOKENS,))
    return Recipe(*model, tx, 20_000)


@functools.cache
def llama():
    """Llama with its layers in a loop: AdamW on kernels and embedding."""
    mask = by_key("kernel", "embedding")
    adamw = optax.adamw(warm_cosine(1e-3, 20_000), 0.9, 0.95, weight_decay=0.1, mask=mask)
    tx = optax.chain(optax.clip_by_global_norm(1.0), adamw)
    model = models.linen(models.Llama(), models.next_token, (models.TOKENS,))
    return Recipe(*model, tx, 20_000)


@functools.cache
def vit():
    """ViT: AdamW with decay on the kernels alone."""
    tx = optax.adamw(warm_cosine(1e-3, 20_000), weight_decay=0.1, mask=by_key("kernel"))
    return Recipe(*models.linen(models.ViT()), tx, 20_000)


def mixer_lion():
    """Lion (Chen et al. 2023): a tenth of AdamW's learning rate, ten times its decay."""
    tx = optax.lion(warm_cosine(1e-4, 20_000), weight_decay=1.0, mask=by_rank)
    return Recipe(*models.linen(models.Mixer()), tx, 20_000)


def convnext():
    """ConvNeXt: AdamW, 0.05 on all but biases, gains and scales."""
    tx = optax.adamw(warm_cosine(4e-3, 20_000), weight_decay=0.05, mask=by_rank)
    return Recipe(*models.of_nnx(models.ConvNeXt(models.nnx.Rngs(0))), tx, 20_000)


def muon():
    """Muon for the hidden matrices, AdamW for the rest, queries and keys normalised."""
    gpt = models.GPT(bias=False, norm_queries=True, tied=False)
    loss, params, args = models.linen(gpt, models.next_token, (models.TOKENS,))
    hidden = optax.contrib.muon(warm_cosine(0.02, 5000), weight_decay=0.05)
    rest = optax.adamw(warm_cosine(3e-3, 5000), 0.8, 0.95, weight_decay=0.1, mask=by_rank)

    def label(path, leaf):
        inside = leaf.ndim == 2 and path[0].key.startswith("Dense") and path[0].key != "Dense_6"
        return "hidden" if inside else "rest"

    labels = jax.tree_util.tree_map_with_path(label, params)
    tx = optax.partition({"hidden": hidden, "rest": rest}, labels)
    return Recipe(loss, params, args, tx, 5000)


def hyperball():
    """Invariant weights on spheres, without decay; Adam for the rest."""
    loss, params, args = models.of_equinox()
    found = symmetry.find(loss, params, *args)
    lr = warm_cosine(3e-3, 10_000)
    turning = transforms.on_sphere(
        optax.adam(lr), step=functools.partial(transforms.scale_to_radius, lr)
    )
    tx = optax.partition({"invariant": turning, "rest": optax.adam(lr)}, found.labels)
    return Recipe(loss, params, args, tx, 10_000)


def diffusion():
    """Ho et al. 2020: Adam without any decay, a warm-up and then one learning rate."""
    tx = optax.adam(optax.linear_schedule(0.0, 2e-4, 500))
    return Recipe(*models.denoising(), tx, 10_000)


def haiku_adamw():
    """A network of Haiku with batch norms and decoupled decay of the weights."""
    tx = optax.adamw(warm_cosine(2e-3, 20_000), weight_decay=0.1, mask=by_key("w"))
    return Recipe(*models.of_haiku(), tx, 20_000)


RECIPES = {
    recipe.__name__: recipe
    for recipe in (
        *(resnet_sgd, wide_resnet, flax_imagenet, gpt, llama, vit, mixer_lion, convnext),
        *(muon, hyperball, diffusion, haiku_adamw),
    )
}
