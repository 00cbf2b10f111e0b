"""What `wdjax.auditing.probe` found, to read and to hand on."""

import dataclasses
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from wdjax.auditing.judge import Kind


@dataclasses.dataclass(frozen=True)
class LeafDecay:
    """What an optimiser does to one leaf. Arrays have one number per sampled step.

    Attributes:
      name: Path of the leaf.
      kind: One of
        "none" (no decay); "rate" (w ← w − ρ_t w beside the step); "cautious" (so, but only for the
        entries that `note` says); "coupled_l2" (s w is added to the gradient); "coupled_l1"
        (s sign(w) is); "coupled_and_decoupled" (L2 in the gradient and a rate beside it); "l1"
        (takes the same amount from each entry's size); "buffered" (w is added to the momentum
        buffer, not to the gradient); "initial" and "average" (the rate ρ_t draws it to where it
        began, or to an average of where it has been); "sphere" (steps keep a norm); "frozen"
        (nothing moves it); "unknown" (`note` says what was seen).
      steps: The sampled steps: how many training steps come before.
      rates: ρ_t, the fraction of the weight that is removed beside the gradient. NaN where a leaf
        without memory does not tell it from a coupled decay.
      strengths: s_t of a coupled decay; NaN where the leaf does not move, so that it does not show.
      amounts: What kind "l1" takes from each entry's size.
      removed: The fraction of the weight that a step with zero gradient removes after as many such
        steps with the weights held: for coupled decay with the buffers filled.
      idle: Where no gradient moves the leaf, as at a learning rate of zero.
      equivalent: s_t such that coupled L2 of this strength is the same function (kind "rate" in an
        optimiser that only multiplies gradients by its learning rate), else None.
      sphere: The leaves whose common norm is kept, and
      axes: the axes along each index of which it is (kind "sphere").
      stuck: The share of entries that the step at zero gradient leaves as they are, in the leaf's
        own dtype and at its own values, because the change is below rounding; 0 without decay.
      doubtful: Whether it is not known if what rounding takes from one step comes in a later one,
        as where an optimiser keeps float32 copies: the decay is too slow to tell.
      dtype: The leaf's dtype.
      note: More in words.
    """

    name: str
    kind: Kind
    steps: np.ndarray
    rates: np.ndarray
    strengths: np.ndarray
    amounts: np.ndarray
    removed: np.ndarray
    idle: np.ndarray
    equivalent: np.ndarray | None = None
    sphere: tuple[str, ...] = ()
    axes: tuple[int, ...] = ()
    stuck: np.ndarray | None = None
    doubtful: bool = False
    dtype: str = "float64"
    note: str = ""

    @property
    def decays(self) -> bool:
        """Whether something pulls the weights: any kind but none, sphere, frozen and unknown."""
        return self.kind not in ("none", "sphere", "frozen", "unknown")

    def __str__(self) -> str:
        """The verdict in words."""
        return _in_words([self])

    def _words(self) -> str:
        """The same, without what depends on the size of the weights."""
        parts = [self._verdict(), *self._remarks()]
        return "; ".join(part for part in parts if part)

    def _verdict(self) -> str:
        rate, strength = self._along(self.rates), self._along(self.strengths)
        amount = self._along(self.amounts)
        return {
            "none": "no decay",
            "rate": f"removes the fraction {rate} per step",
            "cautious": f"cautious: removes the fraction {rate} per step",
            "coupled_l2": f"L2 in the gradient (coupled), s = {strength}",
            "coupled_l1": f"L1 in the gradient (coupled), s = {strength}",
            "coupled_and_decoupled": f"L2 in the gradient (coupled), s = {strength}, and beside it "
            f"the fraction {rate} per step",
            "l1": f"takes {amount} from the size of each entry per step",
            "buffered": f"decays through the momentum buffer, at first {rate} per step",
            "initial": f"drawn to the initial weights, by the fraction {rate} per step",
            "average": f"drawn to an average of its past, by the fraction {rate} per step",
            "sphere": self._on_sphere(),
            "frozen": "does not move at any sampled step",
            "unknown": "unknown",
        }[self.kind]

    def _on_sphere(self) -> str:
        if len(self.sphere) > 1:
            return f"on a sphere: the joint norm of {', '.join(self.sphere)} is kept"
        each = f" of each index of axes {self.axes}" if self.axes else ""
        return f"on a sphere: its norm{each} is kept"

    def _remarks(self) -> Iterator[str]:
        yield self.note
        if self.equivalent is not None:
            yield f"the same function as coupled L2 of s = {self._along(self.equivalent)}"
        if self.kind != "frozen" and np.any(self.idle):
            yield f"no gradient moves it at step {', '.join(map(str, self.steps[self.idle]))}"
        if self.stuck is not None and np.max(self.stuck, initial=0) >= 0.01:
            yield self._lost(self.stuck)

    def _lost(self, stuck: np.ndarray) -> str:
        worst = int(np.argmax(stuck))
        doubt = ", in one step; not known whether the remainder is kept" if self.doubtful else ""
        if stuck[worst] < 0.99:
            return f"in {self.dtype} {stuck[worst]:.0%} of the entries stay for rounding{doubt}"
        where = "" if np.min(stuck) >= 0.99 else f" at step {self.steps[worst]}"
        return (
            f"rounds to nothing in {self.dtype}{where}: {abs(self.removed[worst]):.3g} is below "
            f"half a unit in the last place{doubt}"
        )

    def _along(self, values: np.ndarray) -> str:
        """A number, or its course: first, largest, last."""
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            return "(not seen)"
        v, steps = values[known] + 0.0, self.steps[known]
        if np.ptp(v) <= 1e-6 * np.max(np.abs(v)):
            return f"{v[0]:.6g}"
        marks = sorted({0, int(np.argmax(np.abs(v))), len(v) - 1})
        return ", ".join(f"{v[i]:.4g} (step {steps[i]})" for i in marks)


@dataclasses.dataclass(frozen=True)
class Probe:
    """What an optimiser does to weights; made by `wdjax.auditing.probe`, prints as a table.

    Attributes:
      leaves: Per path of a floating-point leaf, what happens to it.
      steps: The sampled steps.
    """

    leaves: dict[str, LeafDecay]
    steps: np.ndarray

    def __getitem__(self, name: str) -> LeafDecay:
        """Returns what happens to the leaf of this path."""
        return self.leaves[name]

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each leaf."""
        return {name: leaf.kind for name, leaf in self.leaves.items()}

    def rows(self) -> list[tuple[str, str]]:
        """The lines of the table: leaves with the same answer, and the answer in words."""
        alike: dict[str, list[LeafDecay]] = {}
        for leaf in self.leaves.values():
            alike.setdefault(leaf._words(), []).append(leaf)
        return [(_listed([leaf.name for leaf in v]), _in_words(v)) for v in alike.values()]

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values, for JSON; numbers not seen are None."""
        return {"steps": self.steps.tolist(), "leaves": [_plain(v) for v in self.leaves.values()]}

    def __str__(self) -> str:
        """A table: one line per answer."""
        rows = self.rows()
        width = max((len(names) for names, _ in rows), default=0)
        return "\n".join(f"{names:<{width}}  {words}" for names, words in rows)

    def _repr_html_(self) -> str:
        lines = "".join(
            f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in self.rows()
        )
        return f"<table><tr><th>leaf</th><th>decay</th></tr>{lines}</table>"


def _in_words(alike: Sequence[LeafDecay]) -> str:
    """The words that some leaves share, and the fractions that a coupled decay takes of them."""
    words = alike[0]._words()
    if alike[0].kind not in ("coupled_l2", "coupled_l1", "coupled_and_decoupled", "buffered"):
        return words
    losses = [float(np.max(leaf.removed)) for leaf in alike]
    most = dict.fromkeys(f"{loss:.2g}" for loss in (min(losses), max(losses)))
    return f"{words}; at zero gradient weights of this size lose {' to '.join(most)} per step"


def _listed(names: list[str], most: int = 3) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def _plain(leaf: LeafDecay) -> dict[str, Any]:
    fields = {f.name: getattr(leaf, f.name) for f in dataclasses.fields(leaf)}
    return {name: _listable(value) for name, value in fields.items()}


def _listable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [None if v != v else v for v in value.tolist()]
    return list(value) if isinstance(value, tuple) else value
