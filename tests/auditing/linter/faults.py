"""Training set-ups with one fault each: what the linter has to find."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from tests.auditing.linter import models, recipes
from tests.auditing.linter.recipes import Recipe, by_rank, sgd, warm_cosine
from wdjax import transforms

STEPS = 10_000
KERNELS = {"w0", "w1", "w2", "head"}
VECTORS = {"g0", "g1", "b0", "b1"}
INVARIANT = {"w0", "w1", "w2"}


class Fault(NamedTuple):
    """A fault.

    Attributes:
      code: What finds it.
      make: Returns the set-up.
      leaves: The leaves to be named.
      severity: How serious it is.
      others: Codes that say something true of it besides.
    """

    code: str
    make: object
    leaves: set[str]
    severity: str = "warning"
    others: tuple[str, ...] = ()


def adamw(weight_decay=0.1, mask=by_rank, **settings):
    return optax.adamw(warm_cosine(3e-3, STEPS), weight_decay=weight_decay, mask=mask, **settings)


def adam():
    return optax.adam(warm_cosine(3e-3, STEPS))


def of_small(tx, steps=STEPS, **settings):
    return Recipe(*models.small(**settings), tx, steps)


def penalised(tx, strength=1e-3):
    loss, params, args = models.small()

    def total(params, *args):
        return loss(params, *args) + strength / 2 * optax.tree.norm(
            {n: p for n, p in params.items() if p.ndim > 1}, squared=True
        )

    return Recipe(total, params, args, tx, STEPS)


def named(*names):
    return lambda params: {name: name in names for name in params}


def but(*names):
    return lambda params: {name: p.ndim > 1 and name not in names for name, p in params.items()}


def two_optimisers():
    slow = optax.adamw(warm_cosine(3e-4, 40_000), weight_decay=0.1)
    labels = {n: "slow" if n == "w1" else "fast" for n in models.small()[1]}
    return of_small(optax.partition({"slow": slow, "fast": adamw()}, labels), 40_000)


def unused_leaf():
    loss, params, args = models.small()
    return Recipe(loss, params | {"spare": jnp.ones((8, 8))}, args, adamw(), STEPS)


def in_bfloat16(lr=1e-6, weight_decay=10.0):
    """Steps far below a unit in the last place, which is about 1e-3, and decay below them."""
    return of_small(optax.adamw(lr, weight_decay=weight_decay, mask=by_rank), dtype=jnp.bfloat16)


def shrinks_by_cubes():
    def cubes(updates, params):
        return jax.tree.map(lambda u, p: u - 1e-3 * p**3, updates, params)

    return of_small(optax.chain(adam(), optax.stateless(cubes)))


def on_spheres(inner, behind=None, *, tangent=True):
    loss, params, args = models.small()
    groups = {name: name in INVARIANT for name in params}
    turning = transforms.on_sphere(inner, tangent=tangent)
    turning = turning if behind is None else optax.chain(turning, behind)
    labels = {name: "turning" if name in INVARIANT else "rest" for name in groups}
    return Recipe(
        loss, params, args, optax.partition({"turning": turning, "rest": adamw()}, labels), STEPS
    )


def llama_by_rank():
    recipe = recipes.llama()
    return recipe._replace(tx=optax.adamw(1e-3, weight_decay=0.1, mask=by_rank))


def vit_by_rank():
    recipe = recipes.vit()
    return recipe._replace(tx=optax.adamw(1e-3, weight_decay=0.1, mask=by_rank))


def one_writer():
    """Two matrices that write to one stream, which is normalised: only one of them decays."""
    _, params, args = models.small()

    def loss(params, x, y):
        h = x @ params["w0"]
        h = h + jax.nn.relu(h / jnp.sqrt(jnp.mean(h**2, -1, keepdims=True) + 1e-6)) @ params["w1"]
        h = h / jnp.sqrt(jnp.mean(h**2, -1, keepdims=True) + 1e-6)
        return models.cross_entropy(h @ params["head"], y)

    params = {name: params[name] for name in ("w0", "w1", "head")}
    tx = optax.adamw(warm_cosine(3e-3, STEPS), weight_decay=0.1, mask=named("w1", "head"))
    return Recipe(loss, params, args, tx, STEPS)


L2 = optax.add_decayed_weights
FAULTS = {
    "L2 before AdamW": Fault(
        "WD101", lambda: of_small(optax.chain(L2(1e-3, by_rank), adamw())), KERNELS
    ),
    "L2 in the loss and AdamW": Fault(
        "WD101", lambda: penalised(adamw()), KERNELS, others=("WD103",)
    ),
    "L2 in the loss and before SGD": Fault(
        "WD101", lambda: penalised(sgd(0.1, 1e-3)), KERNELS, others=("WD103",)
    ),
    "L2 before Adam": Fault(
        "WD102", lambda: of_small(optax.chain(L2(1e-3, by_rank), adam())), KERNELS
    ),
    "L2 in the loss under Adam": Fault(
        "WD102", lambda: penalised(adam()), KERNELS, others=("WD103",)
    ),
    "L2 in the loss": Fault("WD103", lambda: penalised(optax.sgd(0.1, 0.9)), KERNELS, "note"),
    "decay behind the learning rate with a plus": Fault(
        "WD104", lambda: of_small(optax.chain(adam(), L2(1e-4, by_rank))), KERNELS
    ),
    "decay that is no fraction": Fault("WD105", shrinks_by_cubes, KERNELS | VECTORS, "note"),
    "gradients that pass a mask": Fault(
        "WD106", lambda: of_small(optax.masked(adamw(mask=None), named(*KERNELS))), VECTORS
    ),
    "everything decays": Fault("WD201", lambda: of_small(sgd(0.1, 1e-3, None)), VECTORS),
    "a name that the mask misses": Fault("WD202", lambda: of_small(adamw(mask=but("w1"))), {"w1"}),
    "a bias that the mask hits": Fault(
        "WD202", lambda: of_small(adamw(mask=named(*KERNELS, "b1"))), {"b1"}, others=("WD201",)
    ),
    "a mask the wrong way round": Fault(
        "WD202", lambda: of_small(adamw(mask=named(*VECTORS))), VECTORS, others=("WD201",)
    ),
    "gains of stacked layers": Fault(
        "WD203",
        llama_by_rank,
        {f"ScanLlamaBlock_0/RMSNorm_{i}/scale" for i in (0, 1)},
    ),
    "biases of heads": Fault(
        "WD203",
        vit_by_rank,
        {f"MultiHeadDotProductAttention_0/{n}/bias" for n in ("query", "key", "value")},
        others=("WD205",),
    ),
    "a stopped gradient": Fault("WD204", lambda: of_small(adamw(), freeze=("w1",)), {"w1"}),
    "a leaf that is not read": Fault("WD204", unused_leaf, {"spare"}),
    "a bias before batch norm": Fault(
        "WD205", lambda: of_small(adamw(mask=named(*KERNELS, "bias")), bias=True), {"bias"}, "note"
    ),
    "one of two writers": Fault("WD206", one_writer, {"w0", "w1"}, "note"),
    "a short run": Fault("WD301", lambda: of_small(sgd(0.1, 1e-4), 200), INVARIANT),
    "two learning rates": Fault("WD302", two_optimisers, {"w1"}),
    "no decay": Fault("WD303", lambda: of_small(optax.sgd(0.1, 0.9)), INVARIANT),
    "more than all of a weight": Fault(
        "WD304", lambda: of_small(optax.chain(adam(), L2(-1.5, by_rank))), KERNELS
    ),
    "bfloat16": Fault("WD401", in_bfloat16, KERNELS),
    "AdamW on a sphere": Fault("WD402", lambda: on_spheres(adamw(mask=None)), INVARIANT),
    "AdamW on a sphere, not tangent": Fault(
        "WD402", lambda: on_spheres(adamw(mask=None), tangent=False), INVARIANT
    ),
    "AdamW with hyperparameters in its state on a sphere": Fault(
        "WD402",
        lambda: on_spheres(optax.inject_hyperparams(optax.adamw)(1e-3, weight_decay=0.1)),
        INVARIANT,
    ),
    "decay behind a sphere": Fault("WD402", lambda: on_spheres(adam(), L2(-1e-3)), INVARIANT),
    "a large epsilon": Fault("WD501", lambda: of_small(sgd(0.1, 1e-3), epsilon=0.4), INVARIANT),
    "so much decay that epsilon is large": Fault(
        "WD501", lambda: of_small(adamw(weight_decay=30.0), epsilon=5e-4), INVARIANT
    ),
    "an epsilon too small": Fault(
        "WD502",
        lambda: Recipe(
            *models.unstable(), optax.chain(L2(5e-3, named("w", "v")), optax.sgd(0.1)), 20_000
        ),
        {"w", "v"},
    ),
    "statistics from outside": Fault("WD503", lambda: of_small(adamw(), evaluate=True), INVARIANT),
}
