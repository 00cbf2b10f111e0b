"""By which way the decay reaches the weights: WD101 to WD106."""

from collections.abc import Iterator

import numpy as np

from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.words import largest, listed, span

ALONG = 0.5
"""The cosine between a step and the gradient from which on it goes up the loss."""

IN_GRADIENT = ("coupled_l2", "coupled_l1", "coupled_and_decoupled", "buffered")


def double_decay(case: Case) -> Iterator[Finding]:
    """Finds leaves that decay twice: in the gradient, beside it, or in the loss."""
    ways: dict[tuple[str, ...], list[str]] = {}
    for name in case.decaying:
        found = tuple(_ways(case, name))
        if len(found) > 1:
            ways.setdefault(found, []).append(name)
    for found, names in ways.items():
        strengths = span(largest(case.leaves[name].strengths) for name in names)
        rates = span(largest(case.leaves[name].rates) for name in names)
        in_loss = span(case.penalties.strengths.get(name, np.nan) for name in names)
        numbers = {
            "in the gradient": f"{strengths} × w is added to the gradient",
            "beside the gradient": f"the fraction {rates} is removed per step beside it",
            "in the loss": f"the loss holds (s/2)‖w‖² with s = {in_loss}",
        }
        yield Finding(
            "WD101",
            "warning",
            tuple(names),
            f"{listed(names)}: decays by {len(found)} ways at once: "
            f"{'; '.join(numbers[way] for way in found)}",
            "Keep one. Decoupled: optax.adamw(lr, weight_decay=...) alone. Coupled: "
            "optax.chain(optax.add_decayed_weights(s), optax.sgd(lr, momentum)). Take the others "
            "out of the chain, or out of the loss.",
        )


def _ways(case: Case, name: str) -> Iterator[str]:
    kind = case.leaves[name].kind
    if kind in IN_GRADIENT:
        yield "in the gradient"
    if kind == "coupled_and_decoupled" or (case.leaves[name].decays and kind not in IN_GRADIENT):
        yield "beside the gradient"
    if name in case.penalties.strengths:
        yield "in the loss"


def coupled_under_adam(case: Case) -> Iterator[Finding]:
    """Finds L2 decay in a gradient that the optimiser divides by its size, entry by entry."""
    names = [n for n in case.decaying if _in_gradient_only(case, n) and _divided(case, n)]
    if not names:
        return
    strengths = span(
        case.penalties.strengths.get(name, largest(case.leaves[name].strengths)) for name in names
    )
    yield Finding(
        "WD102",
        "warning",
        tuple(names),
        f"{listed(names)}: L2 of s = {strengths} stands in the gradient, and the optimiser divides "
        "each entry of that by its size: an entry is pulled by lr·s/√E g² and not by lr·s, so "
        "that those with large gradients hardly decay and those with small ones decay most",
        "Decouple it: optax.adamw(lr, weight_decay=λ) in place of optax.add_decayed_weights(s) "
        "before optax.adam(lr), or of a penalty in the loss; λ is another number than s and has "
        "to be chosen anew.",
    )


def _in_gradient_only(case: Case, name: str) -> bool:
    kind = case.leaves[name].kind
    in_loss = name in case.penalties.strengths and not case.leaves[name].decays
    return in_loss or kind == "coupled_l2"


def _divided(case: Case, name: str) -> bool:
    by_tensor = case.steps is not None and case.steps.by_tensor.get(name, False)
    return case.degree(name) < 0.5 and not by_tensor


def penalty_in_loss(case: Case) -> Iterator[Finding]:
    """Notes decay that is part of the loss."""
    strengths = case.penalties.strengths
    if not strengths:
        return
    yield Finding(
        "WD103",
        "note",
        tuple(strengths),
        f"{listed(strengths)}: the loss itself holds (s/2)‖w‖² with s = "
        f"{span(strengths.values())}. Findings here are about the loss without it; the loss that "
        "is logged sees the scale of weights that the network does not see",
        f"Move it into the optimiser: optax.chain(optax.add_decayed_weights("
        f"{max(strengths.values()):.3g}, mask), optax.sgd(...)) trains the same, and the loss "
        "stays a measure of the fit.",
    )


def wrong_sign(case: Case) -> Iterator[Finding]:
    """Finds leaves that grow where they should decay."""
    names = [name for name in case.decaying if _smallest(case, name) < 0]
    if not names:
        return
    yield Finding(
        "WD104",
        "warning",
        tuple(names),
        f"{listed(names)}: grows instead of decaying, by the fraction or strength "
        f"{span(-_smallest(case, name) for name in names)}",
        "Behind the learning rate updates already have the sign of the step: chain "
        "optax.add_decayed_weights(-rate) there, or before optax.scale_by_learning_rate with "
        "+weight_decay; or wdjax.transforms.decoupled_decay(rate) at the end.",
    )


def unknown_decay(case: Case) -> Iterator[Finding]:
    """Notes leaves of which it is not known what decay does."""
    unclear = [name for name, leaf in case.leaves.items() if leaf.kind == "unknown"]
    names = [name for name in unclear if name not in case.decay_behind_sphere]
    if not names:
        return
    why = case.leaves[names[0]].note
    yield Finding(
        "WD105",
        "note",
        tuple(names),
        f"{listed(names)}: what the optimiser does to the weights beside following the gradient is "
        f"not known{f' ({why})' if why else ''}, so that other findings may be missing",
        "Look at wdjax.auditing.probe(tx, params), and at parts of the chain by themselves.",
    )


def ascent(case: Case) -> Iterator[Finding]:
    """Finds leaves whose steps go along the gradient, up the loss."""
    cosines = case.steps.ascent if case.steps else {}
    still = (*case.frozen, *case.symmetries.unused, *case.symmetries.dead)
    names = [n for n in case.leaves if cosines.get(n, 0.0) > ALONG and n not in still]
    if not names:
        return
    yield Finding(
        "WD106",
        "warning",
        tuple(names),
        f"{listed(names)}: steps go along the gradient and not against it (cosine "
        f"{span(cosines[name] for name in names)}), so that the loss grows",
        "Have the learning rate on every leaf, with its minus sign: "
        "optax.scale_by_learning_rate(lr). optax.masked leaves the other leaves' gradients as they "
        "are: optax.partition with optax.set_to_zero() for what is to stay.",
    )


def _smallest(case: Case, name: str) -> float:
    """The most negative rate or strength of a leaf; a little below zero is rounding."""
    leaf = case.leaves[name]
    numbers = np.concatenate([leaf.rates, leaf.strengths, leaf.amounts])
    known = [float(x) for x in numbers[np.isfinite(numbers)]]
    known.append(case.penalties.strengths.get(name, 0.0))
    least = min(known)
    return least if least < -1e-9 * max(map(abs, known)) else 0.0
