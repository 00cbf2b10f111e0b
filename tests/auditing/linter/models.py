"""Small networks of the kinds that the recipes train."""

import functools

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(8, 8, 8, 3)), jnp.float32)
LABELS = jnp.asarray(RNG.integers(0, 5, 8))
TOKENS = jnp.asarray(RNG.integers(0, 11, (4, 8)))
CLASSES, VOCABULARY, WIDTH, HEADS = 5, 11, 16, 2


def cross_entropy(logits, labels):
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def next_token(logits, tokens):
    return cross_entropy(logits[:, :-1], tokens[:, 1:])


def drawn(shapes):
    """Random values for parameters of these shapes: ones for gains, zeros for biases."""
    rng = np.random.default_rng(0)

    def draw(path, shape):
        name = jax.tree_util.keystr(path[-1:], simple=True)
        if name in ("scale", "bias", "mean", "var"):
            return jnp.full(shape.shape, float(name in ("scale", "var")), jnp.float32)
        fan_in = 2500 if name in ("embedding", "positions") else np.prod(shape.shape[:-1])
        return jnp.asarray(rng.normal(size=shape.shape) / fan_in**0.5, jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def linen(model, objective=cross_entropy, data=(IMAGES, LABELS), **settings):
    """The loss of a Linen module and its parameters."""
    variables = drawn(jax.eval_shape(model.init, jax.random.key(0), data[0]))
    params = variables["params"]
    rest = {name: values for name, values in variables.items() if name != "params"}

    def loss(params, x, *labels):
        out, _ = model.apply({"params": params, **rest}, x, mutable=list(rest), **settings)
        return objective(out, *(labels or (x,)))

    return loss, params, data


class ResNet(nn.Module):
    """A stem and a block of convolutions with batch norm behind them (He et al. 2015)."""

    epsilon: float = 1e-5
    bias: bool = False

    @nn.compact
    def __call__(self, x, train=True):
        def conv(y, size=3):
            y = nn.Conv(8, (size, size), use_bias=self.bias)(y)
            return nn.BatchNorm(use_running_average=not train, epsilon=self.epsilon)(y)

        x = nn.relu(conv(x))
        x = nn.relu(x + conv(nn.relu(conv(x))))
        return nn.Dense(CLASSES)(x.mean((1, 2)))


class WideResNet(nn.Module):
    """Batch norm, ReLU, convolution, and again (Zagoruyko & Komodakis 2016)."""

    @nn.compact
    def __call__(self, x):
        def conv(y):
            y = nn.relu(nn.BatchNorm(use_running_average=False)(y))
            return nn.Conv(8, (3, 3), use_bias=False)(y)

        x = nn.Conv(8, (3, 3), use_bias=False)(x)
        x = x + conv(conv(x))
        x = nn.relu(nn.BatchNorm(use_running_average=False)(x))
        return nn.Dense(CLASSES)(x.mean((1, 2)))


def attention(q, k, v):
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
    causal = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    weights = jax.nn.softmax(jnp.where(causal, scores, -1e9))
    return jnp.einsum("bhqk,bkhd->bqhd", weights, v)


class GPT(nn.Module):
    """As nanoGPT has it: learned positions, layer norms in front, the head tied."""

    bias: bool = True
    norm_queries: bool = False
    tied: bool = True

    @nn.compact
    def __call__(self, tokens):
        def dense(size):
            return nn.Dense(size, use_bias=self.bias)

        embed = nn.Embed(VOCABULARY, WIDTH)
        x = embed(tokens)
        x = x + nn.Embed(8, WIDTH)(jnp.arange(8))
        h = nn.LayerNorm(use_bias=self.bias)(x)
        heads = (*h.shape[:2], HEADS, -1)
        q, k, v = (dense(WIDTH)(h).reshape(heads) for _ in range(3))
        if self.norm_queries:
            q, k = (nn.RMSNorm(use_scale=False)(y) for y in (q, k))
        x = x + dense(WIDTH)(attention(q, k, v).reshape(h.shape))
        h = nn.LayerNorm(use_bias=self.bias)(x)
        x = x + dense(WIDTH)(nn.gelu(dense(2 * WIDTH)(h)))
        x = nn.LayerNorm(use_bias=self.bias)(x)
        return embed.attend(x) if self.tied else nn.Dense(VOCABULARY, use_bias=False)(x)


def rotate(x):
    """Rotary positions."""
    half = x.shape[-1] // 2
    angles = jnp.arange(x.shape[1])[:, None, None] / 100 ** (jnp.arange(half) / half)
    one, other = x[..., :half], x[..., half:]
    cos, sin = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
    return jnp.concatenate([one * cos - other * sin, one * sin + other * cos], -1)


class LlamaBlock(nn.Module):
    """Attention and a gated layer, each behind an RMS norm."""

    @nn.compact
    def __call__(self, x, _):
        def dense(size):
            return nn.Dense(size, use_bias=False)

        h = nn.RMSNorm()(x)
        heads = (*h.shape[:2], HEADS, -1)
        q, k, v = (dense(WIDTH)(h).reshape(heads) for _ in range(3))
        x = x + dense(WIDTH)(attention(rotate(q), rotate(k), v).reshape(h.shape))
        h = nn.RMSNorm()(x)
        return x + dense(WIDTH)(nn.silu(dense(2 * WIDTH)(h)) * dense(2 * WIDTH)(h)), None


class Llama(nn.Module):
    """Blocks in a loop, with their parameters stacked."""

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(VOCABULARY, WIDTH)(tokens)
        layers = nn.scan(LlamaBlock, {"params": 0}, split_rngs={"params": True}, length=3)
        x = nn.RMSNorm()(layers()(x, None)[0])
        return nn.Dense(VOCABULARY, use_bias=False)(x)


class ViT(nn.Module):
    """Patches, learned positions, blocks with layer norms in front (Dosovitskiy et al. 2020)."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(WIDTH, (4, 4), (4, 4), name="embedding")(images)
        x = x.reshape(x.shape[0], -1, WIDTH)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, 4, WIDTH))
        x = x + nn.MultiHeadDotProductAttention(HEADS)(nn.LayerNorm()(x))
        h = nn.gelu(nn.Dense(2 * WIDTH)(nn.LayerNorm()(x)))
        x = x + nn.Dense(WIDTH)(h)
        return nn.Dense(CLASSES)(nn.LayerNorm()(x).mean(1))


class Mixer(nn.Module):
    """Dense layers over positions and over channels in turn (Tolstikhin et al. 2021)."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(WIDTH, (4, 4), (4, 4))(images)
        x = x.reshape(x.shape[0], -1, WIDTH)
        h = nn.LayerNorm()(x).swapaxes(1, 2)
        x = x + nn.Dense(4)(nn.gelu(nn.Dense(8)(h))).swapaxes(1, 2)
        x = x + nn.Dense(WIDTH)(nn.gelu(nn.Dense(2 * WIDTH)(nn.LayerNorm()(x))))
        return nn.Dense(CLASSES)(nn.LayerNorm()(x).mean(1))


class ConvNeXtBlock(nnx.Module):
    def __init__(self, rngs):
        self.depthwise = nnx.Conv(8, 8, (3, 3), feature_group_count=8, rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.wide = nnx.Linear(8, 32, rngs=rngs)
        self.narrow = nnx.Linear(32, 8, rngs=rngs)
        self.scale = nnx.Param(jnp.full(8, 1e-6, jnp.float32))

    def __call__(self, x):
        h = self.norm(self.depthwise(x))
        return x + self.scale * self.narrow(jax.nn.gelu(self.wide(h)))


class ConvNeXt(nnx.Module):
    """Depthwise convolutions, layer norms, and a small scale on each block (Liu et al. 2022)."""

    def __init__(self, rngs):
        self.stem = nnx.Conv(3, 8, (2, 2), (2, 2), rngs=rngs)
        self.stem_norm = nnx.LayerNorm(8, rngs=rngs)
        self.blocks = nnx.List([ConvNeXtBlock(rngs)])
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.head = nnx.Linear(8, CLASSES, rngs=rngs)

    def __call__(self, x):
        x = self.stem_norm(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x.mean((1, 2))))


def of_nnx(model):
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    params = nnx.to_pure_dict(params)

    def loss(params, x, y):
        return cross_entropy(nnx.merge(graph, nnx.State(params), rest, copy=True)(x), y)

    return loss, params, (IMAGES, LABELS)


class Denoiser(nn.Module):
    """Residual blocks with group norms and an embedding of the noise (Ho et al. 2020)."""

    @nn.compact
    def __call__(self, noisy, level):
        time = nn.silu(nn.Dense(16)(jnp.stack([jnp.sin(level), jnp.cos(level)], -1)))
        x = nn.Conv(8, (3, 3))(noisy)
        h = nn.Conv(8, (3, 3))(nn.silu(nn.GroupNorm(4)(x)))
        h = nn.silu(nn.GroupNorm(4)(h + nn.Dense(8)(time)[:, None, None]))
        x = x + nn.Conv(8, (3, 3))(h)
        return nn.Conv(3, (3, 3))(nn.silu(nn.GroupNorm(4)(x)))


def denoising():
    model, noise = Denoiser(), jnp.asarray(RNG.normal(size=IMAGES.shape), jnp.float32)
    levels = jnp.linspace(0.1, 1.5, 8, dtype=jnp.float32)

    def loss(params, images, noise, levels):
        level = levels[:, None, None, None]
        noisy = jnp.cos(level) * images + jnp.sin(level) * noise
        return jnp.mean((model.apply({"params": params}, noisy, levels) - noise) ** 2)

    shapes = jax.eval_shape(model.init, jax.random.key(0), IMAGES, levels)
    params = drawn(shapes["params"])
    return loss, params, (IMAGES, noise, levels)


def haiku_network(x):
    for width in (16, 16):
        x = hk.Linear(width, with_bias=False)(x)
        x = jax.nn.relu(hk.BatchNorm(True, True, 0.9)(x, is_training=True))
    return hk.Linear(CLASSES)(x)


def of_haiku():
    model = hk.transform_with_state(lambda x: haiku_network(x.reshape(len(x), -1)))
    params, state = model.init(jax.random.key(0), IMAGES)

    def loss(params, x, y):
        return cross_entropy(model.apply(params, state, None, x)[0], y)

    return loss, params, (IMAGES, LABELS)


def of_equinox():
    keys = jax.random.split(jax.random.key(0), 3)
    model = eqx.nn.Sequential(
        [
            eqx.nn.Lambda(jnp.ravel),
            eqx.nn.Linear(192, 16, use_bias=False, key=keys[0], dtype=jnp.float32),
            eqx.nn.LayerNorm(16, dtype=jnp.float32),
            eqx.nn.Lambda(jax.nn.gelu),
            eqx.nn.Linear(16, 16, use_bias=False, key=keys[1], dtype=jnp.float32),
            eqx.nn.LayerNorm(16, dtype=jnp.float32),
            eqx.nn.Linear(16, CLASSES, key=keys[2], dtype=jnp.float32),
        ]
    )
    params, static = eqx.partition(model, eqx.is_inexact_array)

    def loss(params, x, y):
        return cross_entropy(jax.vmap(eqx.combine(params, static))(x), y)

    return loss, params, (IMAGES, LABELS)


INPUTS = jnp.asarray(RNG.normal(size=(32, 12)), jnp.float32)
TARGETS = jnp.asarray(RNG.integers(0, CLASSES, 32))


def batch_norm(y, epsilon, statistics=None):
    mean, variance = (y.mean(0), y.var(0)) if statistics is None else statistics
    return (y - mean) * jax.lax.rsqrt(variance + epsilon)


@functools.cache
def small(epsilon=1e-5, *, bias=False, evaluate=False, freeze=(), dtype=jnp.float32):
    """Three dense layers with batch norm behind them, in a dictionary."""
    rng = np.random.default_rng(1)
    shapes = {"w0": (12, 8), "w1": (8, 8), "w2": (8, 8), "head": (8, CLASSES)}
    params = {n: rng.normal(size=s) / s[0] ** 0.5 for n, s in shapes.items()}
    params |= {f"g{i}": np.ones(8) for i in (0, 1)} | {f"b{i}": np.zeros(8) for i in (0, 1)}
    params |= {"bias": np.zeros(8)} if bias else {}
    params = {name: jnp.asarray(value, dtype) for name, value in params.items()}
    given = (jnp.zeros(8, dtype), jnp.ones(8, dtype)) if evaluate else None

    def loss(params, x, y):
        params = params | {name: jax.lax.stop_gradient(params[name]) for name in freeze}
        x = x.astype(dtype)
        for i in range(3):
            x = x @ params[f"w{i}"] + (params["bias"] if bias and i == 2 else 0.0)
            x = batch_norm(x, epsilon, given)
            x = jax.nn.relu(x * params[f"g{i}"] + params[f"b{i}"] if i < 2 else x)
        return cross_entropy((x @ params["head"]).astype(jnp.float32), y)

    return loss, params, (INPUTS, TARGETS)


@functools.cache
def unstable(epsilon=1e-5):
    """A network that gradient descent has fitted so well that little holds its norms up."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(64, 16)))
    y = jnp.asarray(rng.integers(0, 4, 64))
    params = {"w": rng.normal(size=(16, 32)) / 4, "v": rng.normal(size=(32, 32)) / 6}
    params["head"] = rng.normal(size=(32, 4)) / 6

    def loss(params, x, y):
        h = jax.nn.relu(batch_norm(x @ params["w"], epsilon))
        h = jax.nn.relu(batch_norm(h @ params["v"], epsilon))
        return cross_entropy(h @ params["head"], y)

    def step(params, _):
        gradient = jax.grad(loss)(params, x, y)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), None

    params = jax.tree.map(jnp.asarray, params)
    params = jax.jit(lambda p: jax.lax.scan(step, p, length=1500)[0])(params)
    return loss, params, (x, y)
