"""What the weight decay of a planned run would mean in other frameworks and papers."""

import math
from collections.abc import Iterable

from wdjax import theory
from wdjax.planning.run import Run
from wdjax.planning.section import Section, number
from wdjax.theory import conventions
from wdjax.theory.conventions import CONVENTIONS, NoEqualSetting, Setting

NAMES = {
    "sgd": "torch_sgd",
    "sgdw": "optax_sgdw",
    "adamw": "optax_adamw",
    "adamc": "adamc",
    "adam-l2": "optax_adam_l2",
    "lion": "optax_lion",
}
"""The convention in which a run is given its weight decay."""

HEADINGS = ("convention", "the decay", "removed per step", "angle", "the same run")


def section(run: Run) -> Section | None:
    """Returns what the number means in each convention, and which number there is this run."""
    if run.optimizer not in NAMES or run.weight_decay == 0:
        return None
    own = _setting(run, NAMES[run.optimizer])
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, convention in CONVENTIONS.items():
        if convention.optimiser == own.spec.optimiser and _has_its_sizes(run, name):
            alike.setdefault(_cells(run, own, name), []).append(name)
    rows = ((", ".join(names), *cells) for cells, names in alike.items())
    return Section(
        f"What {run.weight_decay:g} means elsewhere, at the peak of the learning rate",
        tuple(_wrapped(rows)),
        HEADINGS,
        "≈ is the nearest where no setting is equal in all steps",
    )


def _setting(run: Run, name: str, decay: float | None = None) -> Setting:
    scheduled = run.schedule != "constant" or run.warmup > 0
    return Setting(
        name,
        run.weight_decay if decay is None else decay,
        learning_rate=(lambda step: run.lr) if scheduled else run.lr,
        peak=run.lr,
        momentum=run.buffer if CONVENTIONS[name].optimiser == "SGD" else 0.0,
        nesterov=run.nesterov and CONVENTIONS[name].nesterov,
        b1=run.b1,
        batch_size=run.batch_size,
        dataset_size=run.dataset_size,
        epochs=None if run.steps_per_epoch is None else run.steps / run.steps_per_epoch,
        steps_per_epoch=run.steps_per_epoch,
    )


def _has_its_sizes(run: Run, name: str) -> bool:
    return not CONVENTIONS[name].unit.needs or run.steps_per_epoch is not None


def _cells(run: Run, own: Setting, name: str) -> tuple[str, ...]:
    convention = CONVENTIONS[name]
    decay = convention.law.formula
    if convention.unit.name != "PLAIN":
        decay = f"{decay}, k from {convention.unit.name.lower()}"
    try:
        rate, angle = _rate_and_angle(run, _setting(run, name))
    except ValueError:  # the number is no possible one there, as a time scale below one step
        return decay, "impossible", "", _same(own, name)
    return decay, _known(rate), _known(angle, " rad"), _same(own, name)


def _rate_and_angle(run: Run, setting: Setting) -> tuple[float, float]:
    """The fraction removed per step in the long run, and the angle at equilibrium; NaN: unknown."""
    spec, nesterov = setting.spec, setting.nesterov
    if spec.coupled and spec.optimiser == "SGD":
        settled = theory.sgd(run.lr, setting.amount, run.buffer, nesterov=nesterov)
        return run.lr * setting.amount / (1 - run.buffer), float(settled.angle)
    if spec.coupled:
        return math.nan, math.nan
    rate = setting.coefficient * run.lr**spec.law.power
    settled = {
        "SGD": lambda: theory.DecoupledSGD(run.lr, rate, run.buffer, nesterov=nesterov),
        "Adam": lambda: theory.AdamW(run.lr, rate, run.b1),
        "Lion": lambda: theory.SignSteps(run.lr, rate, run.b1, run.forgetting),
    }[spec.optimiser]()
    return rate, float(settled.angle)


def _same(own: Setting, name: str) -> str:
    try:
        return f"= {conventions.convert(own, name).decay:.4g}"
    except NoEqualSetting as different:
        return "none" if different.nearest is None else f"≈ {different.nearest.decay:.4g}"
    except ValueError:  # what would be equal is out of its range there
        return "none"


def _known(value: float, unit: str = "") -> str:
    return "depends on the gradients" if math.isnan(value) else f"{number(value)}{unit}"


def _wrapped(rows: Iterable[tuple[str, ...]], width: int = 40) -> Iterable[tuple[str, ...]]:
    """Breaks long lists of conventions over several lines."""
    for names, *cells in rows:
        lines = [""]
        for name in names.split(", "):
            joined = f"{lines[-1]}, {name}" if lines[-1] else name
            if len(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(name)
        yield lines[0], *cells
        yield from ((line, *([""] * len(cells))) for line in lines[1:])
