"""What the prover finds, what it misses, and the time of a proof beside that of the trace.

Run as `python -m benchmarks.prover`; writes `benchmarks/results/prover.json`. Models are given as
shapes only, so a decoder of 70 billion parameters needs no memory. With `--answers` it only notes
what is found of each architecture of the tests, in `benchmarks/results/prover_answers.json` beside
what other versions of JAX found.
"""

import argparse
import gc
import hashlib
import json
import resource
import time
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.symmetry import oracle
from tests.symmetry.architectures import ZOO
from tests.symmetry.random_networks import random_network
from wdjax.models import ResNet
from wdjax.symmetry import find
from wdjax.training import environment

RESULTS = Path(__file__).parent / "results" / "prover.json"
ANSWERS = RESULTS.with_name("prover_answers.json")


def rms_norm(x, gain):
    """Root-mean-square normalisation over the last axis."""
    return x * jax.lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6) * gain


def decoder_shapes(layers, width, heads, kv_heads, hidden, vocabulary):
    """Shapes of a Llama-like decoder's parameters, with all layers of one kind stacked."""
    size = width // heads
    stacked = {
        "q": (width, heads * size), "k": (width, kv_heads * size), "v": (width, kv_heads * size),
        "o": (heads * size, width), "gate": (width, hidden), "up": (width, hidden),
        "down": (hidden, width), "norm1": (width,), "norm2": (width,),
    }  # fmt: skip
    shapes = {name: jax.ShapeDtypeStruct((layers, *s), "float32") for name, s in stacked.items()}
    ends = {"embedding": (vocabulary, width), "norm": (width,), "head": (width, vocabulary)}
    return shapes, {name: jax.ShapeDtypeStruct(s, "float32") for name, s in ends.items()}


def block(h, p, heads, kv_heads):
    """One pre-norm layer with grouped-query attention and a gated feed-forward part."""
    batch, length, width = h.shape
    size = width // heads
    x = rms_norm(h, p["norm1"])
    q = (x @ p["q"]).reshape(batch, length, kv_heads, heads // kv_heads, size)
    k, v = ((x @ p[name]).reshape(batch, length, kv_heads, size) for name in "kv")
    scores = jnp.einsum("btgrd,bsgd->bgrts", q, k) / size**0.5
    mask = jnp.tril(jnp.ones((length, length), bool))
    weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))
    mixed = jnp.einsum("bgrts,bsgd->btgrd", weights, v).reshape(batch, length, width)
    h = h + mixed @ p["o"]
    x = rms_norm(h, p["norm2"])
    return h + (jax.nn.silu(x @ p["gate"]) * (x @ p["up"])) @ p["down"]


def decoder_loss(heads, kv_heads, scanned):
    """The loss of the decoder, its layers in a scan or one after the other."""

    def loss(params, tokens):
        layers, ends = params
        h = ends["embedding"][tokens]
        if scanned:
            h, _ = jax.lax.scan(lambda h, p: (block(h, p, heads, kv_heads), None), h, layers)
        else:
            for p in layers:
                h = block(h, p, heads, kv_heads)
        logits = rms_norm(h, ends["norm"]) @ ends["head"]
        labels = jnp.roll(tokens, -1, axis=1)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    return loss


def decoder(layers, width, heads, kv_heads, hidden, vocabulary, *, scanned):
    """Returns (loss, params, args) of a decoder, as shapes."""
    stacked, ends = decoder_shapes(layers, width, heads, kv_heads, hidden, vocabulary)
    one = {n: jax.ShapeDtypeStruct(s.shape[1:], s.dtype) for n, s in stacked.items()}
    params = (stacked if scanned else [one] * layers, ends)
    return decoder_loss(heads, kv_heads, scanned), params, (jax.ShapeDtypeStruct((2, 16), "int32"),)


def resnet(depth):
    """Returns (loss, params, args) of a CIFAR ResNet with batch norm, as shapes."""
    model = ResNet(depth)
    images = jax.ShapeDtypeStruct((8, 32, 32, 3), "float32")
    labels = jax.ShapeDtypeStruct((8,), "int32")
    variables = jax.eval_shape(
        lambda key, x: model.init(key, x, train=True), jax.random.key(0), images
    )
    statistics = {"batch_stats": variables["batch_stats"]}

    def loss(params, statistics, images, labels):
        logits, _ = model.apply(
            {"params": params, **statistics}, images, train=True, mutable=["batch_stats"]
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), labels)
        return jnp.mean(losses)

    return loss, variables["params"], (statistics, images, labels)


def timed(loss, params, args):
    """Best of three: seconds of a trace, and of a proof beyond its trace; and what was found.

    Python's collections of garbage walk all that JAX has made, and take longer than a small proof:
    a proof is timed also while they are off.
    """
    trace, whole = times(loss, params, args)
    gc.disable()
    quiet_trace, quiet_whole = times(loss, params, args)
    gc.enable()
    found = find(loss, params, *args)
    return {
        "equations": len(jax.make_jaxpr(loss)(params, *args).jaxpr.eqns),
        "trace_s": trace,
        "proof_s": whole - trace,
        "proof_without_collections_s": quiet_whole - quiet_trace,
        "leaves": len(found.leaves),
        "invariant": len(found.invariant),
        "dead": len(found.dead),
        "dimension": found.dimension,
    }


def times(loss, params, args):
    """Best of three: seconds of a trace, and of a trace with a proof."""
    trace = min(seconds(lambda: jax.make_jaxpr(fresh(loss))(params, *args)) for _ in range(3))
    return trace, min(seconds(lambda: find(fresh(loss), params, *args)) for _ in range(3))


def seconds(work):
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fresh(loss):
    """The same loss as another function, so that no trace of it is cached."""
    return lambda *args: loss(*args)


def soundness(networks):
    """Counts false symmetries among all that are found on random networks, in float64.

    Each network is scaled by a random one of all the scalings that are reported, and ⟨w, g⟩ is
    taken along each vector of the basis.
    """
    found = dead = false = 0
    for seed in range(10_000, 10_000 + networks):
        loss, params, args = random_network(seed)
        symmetries = find(loss, params, *args)
        found += symmetries.full_dimension
        dead += len(symmetries.dead)
        false += not is_true(symmetries, loss, params, args, np.random.default_rng(seed))
    return {"networks": networks, "scalings": found, "dead": dead, "false": false}


def is_true(symmetries, loss, params, args, rng):
    """Whether neither the loss nor the gradient sees anything of what is reported."""
    measure = jax.jit(jax.value_and_grad(loss), compiler_options=oracle.SMALL)
    before, gradient = measure(params, *args)
    factors = symmetries.random_scaling(params, rng)
    after, _ = measure(jax.tree.map(jnp.multiply, params, factors), *args)
    products = {name: float(jnp.vdot(params[name], gradient[name])) for name in params}
    along = [sum(float(d) * products[n] for n, d in v.items()) for v in symmetries.basis]
    slopes = [float(jnp.abs(gradient[name]).max()) for name in symmetries.dead]
    size = 1e-8 * (abs(float(before)) + sum(map(abs, products.values())))
    return abs(float(after - before)) < size and all(abs(x) < size for x in (*along, *slopes))


def found_of_each():
    """What is found of each architecture of the tests, as plain values."""
    answers = {}
    for name in ZOO:
        network = oracle.network_of(name)
        found = find(network.loss, network.params, *network.args)
        answers[name] = {
            "invariant": {leaf: list(axes) for leaf, axes in found.invariant.items()},
            "dead": list(found.dead),
            "dimension": found.dimension,
            "full_dimension": found.full_dimension,
        }
    return answers


def completeness(answers):
    """Counts the architectures of which as much is found as there is, by the numeric oracle."""
    missed = {}
    uniform = 0
    for name, answer in answers.items():
        samples, leaves = oracle.samples_of(name), oracle.live_leaves(name)
        uniform += answer["dimension"] == oracle.nullity(samples.uniform(leaves))
        there = samples.full_dimension(leaves)
        if answer["full_dimension"] != there:
            missed[name] = [answer["full_dimension"], there]
    total = len(answers)
    return {
        "architectures": total, "uniform": uniform, "full": total - len(missed), "missed": missed,
    }  # fmt: skip


def note_answers(answers):
    """Writes what this version of JAX found beside what others did; says whether it is the same."""
    noted = json.loads(ANSWERS.read_text()) if ANSWERS.exists() else {}
    text = json.dumps(answers, sort_keys=True)
    noted[jax.__version__] = {
        "architectures": len(answers), "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }  # fmt: skip
    ANSWERS.write_text(json.dumps(noted, indent=2, sort_keys=True) + "\n")
    same = len({entry["sha256"] for entry in noted.values()}) == 1
    print("same answers" if same else "DIFFERENT ANSWERS", "on JAX", ", ".join(noted))


class Transformer(nn.Module):
    """A pre-norm transformer of Linen's own layers."""

    layers: int

    @nn.compact
    def __call__(self, tokens):
        """Returns logits."""
        h = nn.Embed(1000, 64)(tokens)
        mask = nn.make_causal_mask(tokens)
        for _ in range(self.layers):
            x = nn.LayerNorm()(h)
            h = h + nn.MultiHeadDotProductAttention(num_heads=4)(x, mask=mask)
            h = h + nn.Dense(64)(nn.gelu(nn.Dense(256)(nn.LayerNorm()(h))))
        return nn.Dense(1000)(nn.LayerNorm()(h))


def transformer(layers):
    """Returns (loss, params, args) of a Linen transformer, as shapes."""
    model = Transformer(layers)
    tokens = jax.ShapeDtypeStruct((4, 32), "int32")
    variables = jax.eval_shape(model.init, jax.random.key(0), tokens)

    def loss(params, tokens):
        logits = jnp.asarray(model.apply({"params": params}, tokens))
        labels = jnp.roll(tokens, -1, axis=1)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    return loss, variables["params"], (tokens,)


def timings():
    """Times of traces and proofs, by model."""
    small = {"width": 64, "heads": 4, "kv_heads": 2, "hidden": 128, "vocabulary": 100}
    large = {"width": 8192, "heads": 64, "kv_heads": 8, "hidden": 28672, "vocabulary": 128256}
    cases: dict[str, tuple] = {
        f"decoder of {n} layers": decoder(n, **small, scanned=False) for n in (12, 24, 48, 96)
    }
    cases["Linen transformer of 12 layers"] = transformer(12)
    cases["ResNet-50 (CIFAR style)"] = resnet(50)
    cases["70B decoder, unrolled"] = decoder(80, **large, scanned=False)
    cases["70B decoder, scanned"] = decoder(80, **large, scanned=True)
    timed(*cases["decoder of 12 layers"])  # warms the tracing caches
    results = {}
    for name, case in cases.items():
        results[name] = timed(*case)
        print(name, results[name], flush=True)
    return results


def main() -> None:
    """Measures, prints and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=2000)
    parser.add_argument("--answers", action="store_true")
    settings = parser.parse_args()
    if settings.answers:
        with jax.enable_x64(True):
            note_answers(found_of_each())
        return
    results: dict[str, Any] = {"times": timings()}
    results["peak_GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {results['peak_GiB']:.2f} GiB", flush=True)
    with jax.enable_x64(True):
        results["completeness"] = completeness(found_of_each())
        print(results["completeness"], flush=True)
        results["soundness"] = soundness(settings.networks)
        print(results["soundness"])
    RESULTS.write_text(json.dumps({**results, "environment": environment()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
