"""The experiments at all sampled steps, and one verdict per leaf from their findings."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from wdjax.auditing.anchor import anchors, wandered
from wdjax.auditing.blackbox import BlackBox, micro_step
from wdjax.auditing.judge import Finding, Kind, judge
from wdjax.auditing.observations import Instant, Materials, Seen, fraction, norm, observe, same
from wdjax.auditing.report import LeafDecay
from wdjax.auditing.sphere import Sphere, spheres
from wdjax.typing import PyTree

NAN = float("nan")
COUPLED = {"coupled_l2", "coupled_and_decoupled"}


class Record(NamedTuple):
    """What is kept of one leaf at one sampled step; the vectors themselves are not.

    Attributes:
      finding: What it suffers.
      moves: Whether a gradient moves it.
      moves_at_all: Whether two gradients in succession do.
      removed: The fraction that zero gradient removes with full buffers.
      equivalent: ρ / η of a step that is −η g, infinite if it is none.
      wandered: How far the point that it is drawn to has moved.
    """

    finding: Finding
    moves: bool
    moves_at_all: bool
    removed: float
    equivalent: float
    wandered: float


def along_the_schedule(
    box: BlackBox, given: Materials, counts: np.ndarray, rng: np.random.Generator
) -> dict[str, LeafDecay]:
    """Returns what happens to each leaf; to be called with float64 enabled."""
    start = box.init(given.weights)
    now, done = Instant(start, start), 0
    liveliest: tuple[tuple[int, float], Instant] = ((-1, 0.0), now)
    courses: dict[str, list[Record]] = {name: [] for name in given.weights}
    for count in counts.tolist():
        now = _advanced(box, now, given, count - done)
        _require_whole_steps(now.clean, count)
        seen = observe(box, now, given)
        liveliest = max(liveliest, (_liveliness(seen), now), key=lambda pair: pair[0])
        for name, record in _records(box, now, given, seen).items():
            courses[name].append(record)
        done = count
    at = liveliest[1]
    # A state that follows the size of the weights is lost where they were zero, but not where held.
    on_sphere = spheres(box, at.held, given.weights, rng)
    on_sphere |= spheres(box, at.clean, given.weights, rng)
    drawn = {
        n: max(record.wandered for record in course)
        for n, course in courses.items()
        if n not in on_sphere and any(record.finding.kind == "initial" for record in course)
    }
    points = anchors(box, start, given, drawn)
    return {
        n: _verdict(n, course, counts, on_sphere.get(n), points.get(n))
        for n, course in courses.items()
    }


def _advanced(box: BlackBox, now: Instant, given: Materials, count: int) -> Instant:
    clean = box.advance(now.clean, count, given.zero, given.zero)
    return Instant(clean, box.advance(now.held, count, given.zero, given.weights))


def _records(
    box: BlackBox, now: Instant, given: Materials, seen: Mapping[str, Seen]
) -> dict[str, Record]:
    findings = judge(box, now, given, seen)
    drawn = [name for name, finding in findings.items() if finding.kind == "initial"]
    distances = wandered(box, now.clean, given, drawn)
    return {
        name: Record(
            findings[name],
            leaf.moves,
            leaf.moves_at_all,
            fraction(leaf.held, leaf.w),
            _equivalent(leaf),
            distances.get(name, 0.0),
        )
        for name, leaf in seen.items()
    }


def _require_whole_steps(state: PyTree, count: int) -> None:
    at = micro_step(state)
    if at != 0:
        raise ValueError(
            f"after {count} training steps the gradient accumulation stands at micro-step "
            f"{at}: the number of micro-steps is another one, or changes. Give "
            "the right number as micro_steps=, or probe the inner optimiser."
        )


def _liveliness(seen: Mapping[str, Seen]) -> tuple[int, float]:
    """How many leaves move at a sampled step, and how far."""
    steps = [norm(leaf.pulled[0][0] + leaf.pulled[0][1]) for leaf in seen.values()]
    return sum(step > 0 for step in steps), sum(step for step in steps if np.isfinite(step))


def _verdict(
    name: str,
    course: Sequence[Record],
    counts: np.ndarray,
    sphere: Sphere | None,
    to_point: tuple[Kind, str] | None,
) -> LeafDecay:
    findings = [record.finding for record in course]
    frozen = not any(record.moves_at_all for record in course)
    kind, note = ("sphere", "") if sphere else _merged(findings, frozen, to_point)
    silent = kind in ("sphere", "frozen")
    idle = np.array([not record.moves for record in course])

    def numbers(of: Callable[[Finding], float]) -> np.ndarray:
        return np.array([0.0 if silent else of(f) if _belongs(f, kind) else NAN for f in findings])

    strengths = numbers(lambda finding: finding.strength)
    return LeafDecay(
        name=name,
        kind=kind,
        steps=counts,
        rates=numbers(lambda finding: finding.rate),
        strengths=np.where(idle & (strengths == 0) & (not silent), NAN, strengths),
        amounts=numbers(lambda finding: finding.amount),
        removed=np.array([0.0 if silent else record.removed for record in course]),
        idle=idle,
        equivalent=_equivalents(course) if kind == "rate" else None,
        sphere=sphere.leaves if sphere else (),
        axes=sphere.axes if sphere else (),
        note=note,
    )


def _merged(
    course: Sequence[Finding], frozen: bool, to_point: tuple[Kind, str] | None
) -> tuple[Kind, str]:
    """The one kind of all sampled steps, or unknown; nothing at some steps agrees with all."""
    doing = [finding for finding in course if finding.kind != "none"]
    if not doing:
        return ("frozen", "") if frozen else ("none", _notes(course))
    if to_point is not None:
        others = {f.kind for f in doing} - {"initial"}
        return to_point if not others else ("unknown", _listed(doing))
    sure = [finding for finding in doing if finding.sure] or doing
    kinds = {finding.kind for finding in sure}
    if len(kinds) == 1:
        return sure[0].kind, _notes(sure)
    if kinds <= {"rate", *COUPLED}:
        return "coupled_and_decoupled", ""
    return "unknown", _listed(doing)


def _notes(findings: Sequence[Finding]) -> str:
    return "; ".join(dict.fromkeys(finding.note for finding in findings if finding.note))


def _listed(findings: Sequence[Finding]) -> str:
    kinds = ", ".join(sorted({f"{f.kind}" + (f" ({f.note})" if f.note else "") for f in findings}))
    return f"different things at different steps: {kinds}"


def _belongs(finding: Finding, kind: Kind) -> bool:
    """Whether the numbers of a step mean what the verdict's do."""
    if finding.kind in ("none", kind):
        return True
    if finding.kind == "initial":
        return kind in ("average", "unknown")
    return kind == "coupled_and_decoupled" and finding.sure


def _equivalent(leaf: Seen) -> float:
    """ρ / η where the optimiser does nothing but multiply gradients by −η; NaN where η is 0."""
    (base, _), push = leaf.pulled[0], leaf.pushes[0]
    earlier, early = leaf.earlier
    learning_rate = fraction(base, push)
    if (
        learning_rate < 0
        or not same(base, -learning_rate * push)
        or not same(early, -learning_rate * earlier)
        or not same(leaf.stirred[0][0], -learning_rate * push)
    ):
        return math.inf
    return leaf.rate / learning_rate if learning_rate else NAN


def _equivalents(course: Sequence[Record]) -> np.ndarray | None:
    """The strengths of the same decay as coupled L2, if there is no memory to tell them apart."""
    remembers = any(r.finding.sure for r in course if r.finding.kind == "rate")
    strengths = np.array([record.equivalent for record in course])
    none = remembers or np.any(np.isinf(strengths)) or np.all(np.isnan(strengths))
    return None if none else strengths
