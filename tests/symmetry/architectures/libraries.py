"""Networks of Flax Linen, Flax NNX, Haiku and Equinox, and one over a device mesh."""

from functools import partial

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import AxisType, PartitionSpec

from tests.symmetry.architectures.parts import (
    EPS,
    X,
    cross_entropy,
    normal,
    normal_like,
    params_of,
    register,
)
from wdjax.models import MLP, ResNet

IMAGES = (4, 6, 6, 2)
SEQUENCES = (3, 5, 6)
DOUBLE = {"param_dtype": jnp.float64}


def ones_like(shape):
    return jnp.ones(shape.shape, shape.dtype)


def of_linen(model, data, **settings):
    """Builds the loss of a Linen module; all that is no parameter is one."""

    def build(rng):
        x = normal(rng, *data)
        shapes = jax.eval_shape(partial(model.init, **settings), jax.random.key(0), x)
        ones = jax.tree.map(ones_like, shapes)
        rest = {name: values for name, values in ones.items() if name != "params"}

        def loss(params, x):
            variables = {"params": params, **rest}
            logits, _ = model.apply(variables, x, mutable=list(rest), **settings)
            return cross_entropy(logits)

        return loss, normal_like(rng, ones["params"]), (x,)

    return build


def linen(data, invariant, dead=()):
    """Registers a Linen module that maps data of this shape to logits."""

    def add(module):
        register(module.__name__, of_linen(module(), data), invariant, dead)
        return module

    return add


register(
    "linen_batch_norm_resnet",
    of_linen(ResNet(depth=8, epsilon=EPS, **DOUBLE), (3, 8, 8, 1), train=True),
    {f"Conv_{i}/kernel": (3,) for i in range(10)},
)
register(
    "linen_layer_norm_mlp",
    of_linen(MLP((5, 4), 3, "layer", EPS, jnp.float64), (6, 4, 4, 2), train=True),
    {"Dense_0/kernel": (), "Dense_1/kernel": ()},
)
register(
    "linen_batch_norm_in_eval_mode",
    of_linen(MLP((5, 4), 3, "batch", EPS, jnp.float64), (6, 4, 4, 2), train=False),
    {},
)


@linen(SEQUENCES, {}, dead=("MultiHeadDotProductAttention_0/key/bias",))
class LinenAttention(nn.Module):
    @nn.compact
    def __call__(self, x):
        attend = nn.MultiHeadDotProductAttention(num_heads=2, **DOUBLE)
        return nn.Dense(3, **DOUBLE)(nn.LayerNorm(epsilon=EPS, **DOUBLE)(x + attend(x))).mean(1)


@linen(IMAGES, {"Conv_0/kernel": (), "Conv_1/kernel": (3,)}, dead=("Conv_1/bias",))
class LinenGroupNorms(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.Conv(4, (3, 3), use_bias=False, **DOUBLE)(x)
        y = nn.gelu(nn.GroupNorm(num_groups=2, epsilon=EPS, **DOUBLE)(y))
        y = nn.Conv(4, (1, 1), **DOUBLE)(y)
        y = nn.tanh(nn.InstanceNorm(epsilon=EPS, **DOUBLE)(y))
        return nn.Dense(3, **DOUBLE)(y.mean((1, 2)))


@linen(X, {"Dense_0/kernel": ()})
class LinenRMSNorm(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.RMSNorm(epsilon=EPS, **DOUBLE)(nn.Dense(4, use_bias=False, **DOUBLE)(x))
        return nn.Dense(3, **DOUBLE)(nn.silu(y))


@linen(X, {"Dense_0/kernel": (1,)})
class LinenWeightNorm(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.WeightNorm(nn.Dense(4, **DOUBLE), epsilon=EPS, **DOUBLE)(x)
        return nn.Dense(3, **DOUBLE)(nn.relu(y))


@linen(X, {"Dense_0/kernel": ()})
class LinenSpectralNorm(nn.Module):
    @nn.compact
    def __call__(self, x):
        normed = nn.SpectralNorm(nn.Dense(4, **DOUBLE), epsilon=EPS)
        return nn.Dense(3, **DOUBLE)(nn.tanh(normed(x, update_stats=True)))


class LinenBlock(nn.Module):
    @nn.compact
    def __call__(self, h, _):
        y = nn.BatchNorm(use_running_average=False, epsilon=EPS, **DOUBLE)(nn.Dense(6, **DOUBLE)(h))
        return h + nn.tanh(y), None


@linen(
    X,
    {"ScanLinenBlock_0/Dense_0/kernel": (0, 2)},
    dead=("ScanLinenBlock_0/Dense_0/bias",),
)
class LinenScan(nn.Module):
    @nn.compact
    def __call__(self, x):
        stacked = {"params": 0, "batch_stats": 0}
        layers = nn.scan(LinenBlock, stacked, split_rngs={"params": True}, length=3)
        return nn.Dense(3, **DOUBLE)(layers()(x, None)[0])


def of_nnx(data, invariant, dead=()):
    """Registers an NNX module that maps data of this shape to logits."""

    def add(module):
        def build(rng):
            graph, params, rest = nnx.split(module(nnx.Rngs(0)), nnx.Param, ...)
            rest = jax.tree.map(as_double, rest)

            def loss(params, x):
                return cross_entropy(nnx.merge(graph, params, rest, copy=True)(x))

            return loss, normal_like(rng, params), (normal(rng, *data),)

        register(module.__name__, build, invariant, dead)
        return module

    return add


def attention_in_double(query, key, value, **_):
    """What NNX does by default takes the softmax in float32."""
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key)
    return jnp.einsum("...hqk,...khd->...qhd", jax.nn.softmax(scores), value)


def as_double(leaf):
    return leaf.astype(float) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


@of_nnx(X, {"hidden/kernel": (1,)})
class NNXBatchNorm(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(6, 4, use_bias=False, rngs=rngs, **DOUBLE)
        self.norm = nnx.BatchNorm(4, epsilon=EPS, rngs=rngs, **DOUBLE)
        self.head = nnx.Linear(4, 3, rngs=rngs, **DOUBLE)

    def __call__(self, x):
        return self.head(jax.nn.relu(self.norm(self.hidden(x))))


@of_nnx(SEQUENCES, {}, dead=("attend/key/bias",))
class NNXAttention(nnx.Module):
    def __init__(self, rngs):
        self.before = nnx.LayerNorm(6, epsilon=EPS, rngs=rngs, **DOUBLE)
        self.attend = nnx.MultiHeadAttention(
            2, 6, attention_fn=attention_in_double, decode=False, rngs=rngs, **DOUBLE
        )
        self.behind = nnx.LayerNorm(6, epsilon=EPS, rngs=rngs, **DOUBLE)
        self.head = nnx.Linear(6, 3, use_bias=False, rngs=rngs, **DOUBLE)

    def __call__(self, x):
        return self.head(self.behind(x + self.attend(self.before(x)))).mean(1)


def haiku_forward(x):
    y = hk.BatchNorm(True, True, 0.9, eps=EPS)(hk.Linear(4)(x), is_training=True)
    y = hk.Linear(5, with_bias=False)(jax.nn.relu(y))
    y = jnp.tanh(hk.LayerNorm(-1, True, True, eps=EPS)(y))
    return cross_entropy(hk.Linear(3)(y))


def haiku_norms(rng):
    transformed = hk.transform_with_state(haiku_forward)
    x = normal(rng, *X)
    shapes = jax.eval_shape(transformed.init, jax.random.key(0), x)
    params, state = jax.tree.map(ones_like, shapes)

    def loss(params, x):
        return transformed.apply(params, state, None, x)

    return loss, normal_like(rng, params), (x,)


register("haiku_norms", haiku_norms, {"linear/w": (1,), "linear_1/w": ()}, ("linear/b",))


def equinox(data, invariant, dead=()):
    """Registers an Equinox model of one example, of those that `make(key)` returns."""

    def add(make):
        def build(rng):
            params, static = eqx.partition(make(jax.random.key(0)), eqx.is_inexact_array)

            def loss(params, x):
                return cross_entropy(jax.vmap(eqx.combine(params, static))(x))

            return loss, normal_like(rng, params), (normal(rng, *data),)

        register(make.__name__, build, invariant, dead)
        return make

    return add


@equinox(X, {"layers/0/weight": ()})
def equinox_layer_norm(key):
    return eqx.nn.Sequential(
        [
            eqx.nn.Linear(6, 4, use_bias=False, key=key),
            eqx.nn.LayerNorm(4, eps=EPS),
            eqx.nn.Lambda(jax.nn.relu),
            eqx.nn.MLP(4, 3, width_size=5, depth=1, key=key),
        ]
    )


@equinox((4, 2, 6, 6), {"layers/0/weight": ()})
def equinox_group_norm(key):
    return eqx.nn.Sequential(
        [
            eqx.nn.Conv2d(2, 4, 3, use_bias=False, key=key),
            eqx.nn.GroupNorm(groups=2, channels=4, eps=EPS),
            eqx.nn.Lambda(jnp.tanh),
            eqx.nn.Lambda(lambda y: y.mean((1, 2))),
            eqx.nn.Linear(4, 3, key=key),
        ]
    )


def batch_norm_over_a_mesh(rng):
    """Batch norm with its statistics of all devices, of which there is one."""
    mesh = jax.make_mesh((1,), ("data",), (AxisType.Auto,), devices=jax.devices()[:1])

    def logits(params, x):
        y = x @ params["w"]
        y = y - jax.lax.pmean(y.mean(0), "data")
        y = y * jax.lax.rsqrt(jax.lax.pmean((y**2).mean(0), "data") + EPS)
        return jax.nn.relu(y) @ params["head"]

    spread = PartitionSpec("data")
    sharded = jax.shard_map(logits, mesh=mesh, in_specs=(PartitionSpec(), spread), out_specs=spread)
    params = params_of(rng, w=(6, 4), head=(4, 3))
    return lambda params, x: cross_entropy(sharded(params, x)), params, (normal(rng, *X),)


register("batch_norm_over_a_mesh", batch_norm_over_a_mesh, {"w": (1,)})
