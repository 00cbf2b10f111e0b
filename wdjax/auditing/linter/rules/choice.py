"""Which leaves decay and which do not: WD201 to WD206."""

from collections.abc import Iterator, Sequence

import numpy as np

from wdjax import trees
from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.words import largest, listed, plural

FEW = 1 / 3
"""Up to this share of leaves of one kind that are treated otherwise are taken for an oversight."""


def vector_of_a_group(case: Case) -> Iterator[Finding]:
    """Finds biases and gains that decay though the loss sees only the direction of their group."""
    found = {
        group: names
        for group in case.groups
        if (names := [n for n in group if case.is_vector(n) and case.decays(n)])
    }
    if not found:
        return
    names = tuple(dict.fromkeys(name for chosen in found.values() for name in chosen))
    group = next(iter(found))
    scale = "their own scale" if len(group) == 1 else f"the common scale of {listed(group)}"
    others = f", and so for {len(found) - 1} more" if len(found) > 1 else ""
    yield Finding(
        "WD201",
        "warning",
        names,
        f"{listed(names)}: added or multiplied entry by entry, and "
        f"{plural(names, 'decays', 'decay')}, but the loss does not see {scale}{others}: the decay "
        "makes nothing smaller that matters, it only sets how fast the group turns",
        "Leave biases and gains out: mask = jax.tree.map(lambda p: p.ndim > 1, params), given as "
        "mask to optax.adamw or optax.add_decayed_weights (for stacked layers see WD203).",
    )


def split_role(case: Case) -> Iterator[Finding]:
    """Finds the few leaves that a mask treats otherwise than their like."""
    roles: dict[tuple[str, str, int], list[str]] = {}
    for name in case.leaves:
        if case.leaves[name].kind not in ("sphere", "frozen") and name not in _idle(case):
            roles.setdefault(_role(case, name), []).append(name)
    for (what, *_), names in roles.items():
        decayed = [name for name in names if case.decays(name)]
        spared = [name for name in names if not case.decays(name)]
        if spared and len(spared) <= FEW * len(names):
            yield _outlier(spared, decayed, what, "does not decay", "do not decay", "do")
        elif decayed and len(decayed) <= FEW * len(names):
            yield _outlier(decayed, spared, what, "decays", "decay", "do not")
    yield from _flipped(case)


def _idle(case: Case) -> tuple[str, ...]:
    """Leaves for which another rule speaks."""
    return (*case.symmetries.unused, *case.symmetries.dead, *case.frozen)


def _role(case: Case, name: str) -> tuple[str, str, int]:
    """What a leaf is for: how it is used, what the loss sees of its scale, how many axes it has."""
    rank = len(trees.shape(case.weights[name]))
    if case.is_vector(name):
        return "bias or gain", "", rank
    kind = case.use(name).kind
    if name in case.symmetries.invariant:
        return kind, "invariant", rank
    joint = any(name in group for group in case.symmetries.joint)
    return kind, "joint" if joint else "seen", rank


def _outlier(
    few: Sequence[str], others: Sequence[str], what: str, one: str, several: str, rest: str
) -> Finding:
    return Finding(
        "WD202",
        "warning",
        tuple(few),
        f"{listed(few)}: {plural(few, one, several)}, while the {len(others)} other leaves of the "
        f"same use ({what}; {listed(others)}) {rest}: most likely the mask misses or hits it by "
        "name",
        "Choose by what a leaf is and not by its name: wdjax.symmetry.find(loss, params, "
        "batch).mask(params) for the leaves that only turn, or "
        "jax.tree.map(lambda p: p.ndim > 1, params); print wdjax.auditing.probe(tx, params).",
    )


def _flipped(case: Case) -> Iterator[Finding]:
    """A mask the wrong way round: biases and gains decay, no matrix does."""
    vectors = [name for name in case.leaves if case.is_vector(name) and case.decays(name)]
    matrices = [name for name in case.leaves if case.is_matrix(name)]
    if not vectors or not matrices or any(case.decays(name) for name in matrices):
        return
    if all(case.leaves[name].kind != "none" for name in matrices):
        return
    yield Finding(
        "WD202",
        "warning",
        tuple(vectors),
        f"{listed(vectors)}: biases and gains decay, and none of the {len(matrices)} matrices and "
        f"kernels does ({listed(matrices)}): the mask is the wrong way round",
        "In Optax, True in a mask means that the leaf does decay: "
        "mask = jax.tree.map(lambda p: p.ndim > 1, params).",
    )


def stacked_vector(case: Case) -> Iterator[Finding]:
    """Finds biases and gains that a rule on ranks takes for matrices.

    Those of stacked layers have one row per layer, those of the heads of an attention one per head.
    """
    ranks = {name: len(trees.shape(leaf)) for name, leaf in case.weights.items()}
    if any(rank <= 1 and case.decays(name) for name, rank in ranks.items()):
        return  # a rule on ranks spares these
    names = [n for n in case.decaying if ranks[n] >= 2 and case.is_vector(n) and _apart(case, n)]
    if not names:
        return
    shapes = ", ".join(dict.fromkeys(str(trees.shape(case.weights[name])) for name in names))
    stacked = any(case.use(name).sliced for name in names)
    what = "one row per layer of a loop" if stacked else "one row per head or the like"
    yield Finding(
        "WD203",
        "warning",
        tuple(names),
        f"{listed(names)}: of shape {shapes}, with {what}, but added or multiplied as a bias or "
        f"gain is; {plural(names, 'it decays', 'they decay')} like matrices, while leaves of one "
        "axis do not",
        "Do not count such axes: mask = jax.tree_util.tree_map_with_path(lambda path, p: p.ndim - "
        "extra_axes(path) > 1, params), or choose kernels by their key.",
    )


def _apart(case: Case, name: str) -> bool:
    """Whether there are several axes for being stacked, or for being a bias of heads."""
    return case.use(name).sliced or case.use(name).bias


def frozen_decays(case: Case) -> Iterator[Finding]:
    """Finds leaves that no gradient moves and that decay all the same."""
    still = (*case.symmetries.unused, *case.frozen)
    names = [name for name in dict.fromkeys(still) if name in case.leaves and case.decays(name)]
    if not names:
        return
    left = max(_left(case, name) for name in names)
    yield Finding(
        "WD204",
        "warning",
        tuple(names),
        f"{listed(names)}: the loss has no gradient there (frozen or unused), and the decay goes "
        f"on: at most {left:.2g} of it is left after {case.evidence.steps} steps",
        'Freeze it in the optimiser: optax.partition({"train": tx, "frozen": optax.set_to_zero()}, '
        "labels), or leave it out of the decay with a mask.",
    )


def _left(case: Case, name: str) -> float:
    """What is left of a leaf after the run, if nothing but the decay acts."""
    leaf = case.leaves[name]
    removed = np.nan_to_num(np.abs(leaf.removed))
    mean = np.trapezoid(removed, leaf.steps) / max(np.ptp(leaf.steps), 1)
    mean = mean if len(removed) > 1 else largest(removed)
    return float(np.exp(-mean * case.evidence.steps))


def dead_decays(case: Case) -> Iterator[Finding]:
    """Notes leaves that decay and on which the loss does not depend."""
    names = [name for name in case.symmetries.dead if name in case.leaves and case.decays(name)]
    if not names:
        return
    yield Finding(
        "WD205",
        "note",
        tuple(names),
        f"{listed(names)}: the loss is the same for all its values, as what it adds is taken away "
        "again by a mean or a softmax; the decay does nothing",
        "Leave it out of the network (use_bias=False before a batch norm), or of the decay.",
    )


def uneven_group(case: Case) -> Iterator[Finding]:
    """Notes groups that the loss lets scale together or against each other, partly decayed."""
    pairs = [tuple(pair) for pair in case.symmetries.rescalings]
    found = {}
    for group in (*case.groups, *pairs):
        chosen = [name for name in group if name in case.leaves and case.is_matrix(name)]
        decayed = [name for name in chosen if case.decays(name)]
        spared = [n for n in chosen if case.leaves[n].kind == "none" and not case.decays(n)]
        if decayed and spared:
            found[group] = (decayed, spared)
    if not found:
        return
    group, (decayed, spared) = next(iter(found.items()))
    others = f"; and so in {len(found) - 1} more" if len(found) > 1 else ""
    yield Finding(
        "WD206",
        "note",
        tuple(dict.fromkeys(name for both in found.values() for part in both for name in part)),
        f"of {listed(group)}, a scaling of which the loss does not see, only {listed(decayed)} "
        f"{plural(decayed, 'decays', 'decay')}: the decay moves weight to {listed(spared)} and "
        f"bounds nothing{others}",
        "Decay all matrices of the group at one rate, or none of them.",
    )
