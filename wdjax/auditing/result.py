"""What an audit found, to read and to hand on."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from wdjax.auditing.evidence import Evidence, GroupVerdict, Role
from wdjax.auditing.linter import Finding

WORDS: dict[Role, str] = {
    "learning_rate": "decay controls the learning rate",
    "regulariser": "decay regularises",
    "balancer": "decay balances weights against each other",
    "nothing": "decay does nothing",
    "not_decayed": "no decay",
    "unknown": "what decay does is not known",
}
MEANING: dict[Role, str] = {
    "learning_rate": "the loss is blind to the scale",
    "regulariser": "the loss sees the scale",
    "balancer": "the loss is blind to what one side gains and the other loses: of the product, "
    "which it sees, decay is a regulariser",
    "nothing": "",
    "not_decayed": "",
    "unknown": "",
}
MOST_NAMES = 3
NO_FINDING = "No fault was found."


class Row(NamedTuple):
    """Groups of which the same is to be said.

    Attributes:
      role: What decay is for them.
      names: Their names.
      lines: What is to be said.
    """

    role: Role
    names: tuple[str, ...]
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Audit:
    """What a training set-up does to its weights; made by `wdjax.audit`, prints as a report.

    Attributes:
      verdicts: What decay does to each norm group.
      findings: What is wrong with the set-up, most serious first.
      evidence: All that was measured and proved.
    """

    verdicts: tuple[GroupVerdict, ...]
    findings: tuple[Finding, ...]
    evidence: Evidence = dataclasses.field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether there is no warning among the findings."""
        return not any(finding.severity == "warning" for finding in self.findings)

    def __getitem__(self, leaf: str) -> GroupVerdict:
        """Returns the verdict of the first group that holds the leaf of this path."""
        for verdict in self.verdicts:
            if leaf in verdict.leaves:
                return verdict
        raise KeyError(f"{leaf!r}; there are {', '.join(self.evidence.gradients)}")

    def rows(self) -> list[Row]:
        """The report's rows: groups of which the same is said, with the range of their numbers."""
        alike: dict[tuple, list[GroupVerdict]] = {}
        for verdict in self.verdicts:
            key = (verdict.role, verdict.note, _number(verdict.rate), *_kept(verdict))
            alike.setdefault(key, []).append(verdict)
        order = list(WORDS)
        rows = sorted(alike.values(), key=lambda group: order.index(group[0].role))
        steps = self.evidence.steps
        return [Row(v[0].role, tuple(x.name for x in v), tuple(_lines(v, steps))) for v in rows]

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values, for JSON; numbers that do not exist are None."""
        evidence = self.evidence
        responses = {name: r._asdict() for name, r in evidence.responses.items()}
        return _plain(
            {
                "ok": self.ok,
                "steps": evidence.steps,
                "verdicts": [dataclasses.asdict(verdict) for verdict in self.verdicts],
                "findings": [finding._asdict() for finding in self.findings],
                "symmetries": evidence.symmetries.to_dict(),
                "probe": evidence.probe.to_dict(),
                "responses": responses,
            }
        )

    def __str__(self) -> str:
        """The report: what decay does to which weights, then the findings."""
        return "\n".join([self._title(), *self._described(), "", *self._found()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(_listed(row.names))}</td><td>{escape(WORDS[row.role])}</td>"
            f"<td>{'<br>'.join(map(escape, row.lines))}</td></tr>"
            for row in self.rows()
        )
        head = "<tr><th>weights</th><th>role of decay</th><th>numbers</th></tr>"
        found = "".join(
            f"<li><b>{escape(f.code)} {escape(f.severity)}</b>: {escape(f.what)}"
            f"<br>fix: {escape(f.fix)}</li>"
            for f in self.findings
        )
        listed = f"<ul>{found}</ul>" if found else f"<p>{NO_FINDING}</p>"
        return f"<p>{escape(self._title())}</p><table>{head}{rows}</table>{listed}"

    def _title(self) -> str:
        count = len(self.evidence.gradients)
        leaves = "1 leaf" if count == 1 else f"{count} leaves"
        return (
            f"Weight decay of {leaves} in {self.evidence.steps:,} steps (numbers: at the largest "
            "learning rate)"
        )

    def _described(self) -> Iterator[str]:
        for row in self.rows():
            yield f"\n{WORDS[row.role]}: {_listed(row.names)}"
            yield from (f"    {line}" for line in row.lines)

    def _found(self) -> Iterator[str]:
        if not self.findings:
            yield NO_FINDING
        for finding in self.findings:
            where = f"\n    at {_listed(finding.leaves)}" if finding.leaves else ""
            yield f"{finding.code} {finding.severity}: {finding.what}{where}"
            yield f"    fix: {finding.fix}"


def _named(verdict: GroupVerdict) -> str:
    """The name of a group, or its leaves in short."""
    together = len(verdict.leaves) > MOST_NAMES
    return f"together {_listed(verdict.leaves)}" if together else verdict.name


def _kept(verdict: GroupVerdict) -> tuple:
    """What else has to be the same for verdicts to be one row."""
    exists = (verdict.equilibrium_norm, verdict.angle, verdict.effective_lr)
    return (verdict.axes, *(x == x for x in exists))


def _lines(alike: Sequence[GroupVerdict], steps: int) -> Iterator[str]:
    """What is to be said of some groups."""

    def of(name: str) -> list[float]:
        return [getattr(verdict, name) for verdict in alike]

    first = alike[0]
    yield from filter(None, (_meaning(first), first.note))
    if first.rate > 0:
        times = _count(1 / rate for rate in of("rate"))
        memory = f": a memory of {times} steps" if max(of("rate")) < 1 else ""
        yield f"removes {_range(of('rate'))} of the weight per step{memory}"
    if first.equilibrium_norm == first.equilibrium_norm:
        now, then = _range(of("norm")), _range(of("equilibrium_norm"))
        yield f"‖w‖: {now} now, {then} at equilibrium, for gradients as they are now"
        yield _arrival(alike, steps)
    if first.angle == first.angle:
        there = " at equilibrium" if first.equilibrium_norm == first.equilibrium_norm else ""
        yield f"turns by {_range(of('angle'))} rad per step{there}"
    if first.effective_lr == first.effective_lr:
        then = (
            "at equilibrium" if first.equilibrium_norm == first.equilibrium_norm else "at the end"
        )
        later = of("settled_effective_lr")
        known = f", {_range(later)} {then}" if all(x == x for x in later) else ""
        yield f"effective learning rate: {_range(of('effective_lr'))} now{known}"
    if first.role == "balancer" and first.relaxation_steps == first.relaxation_steps:
        times = _count(of("relaxation_steps"))
        yield f"the difference of their squares falls to 1/e in {times} of {steps:,} steps"


def _meaning(verdict: GroupVerdict) -> str:
    each = f", for each index of axes {verdict.axes} by itself" if verdict.axes else ""
    together = " of all together" if len(verdict.leaves) > 1 else ""
    if verdict.role != "learning_rate":
        return MEANING[verdict.role]
    return f"{MEANING[verdict.role]}{together}{each}"


def _arrival(alike: Sequence[GroupVerdict], steps: int) -> str:
    """How long the way to the equilibrium is, beside the length of the run."""
    settling, relaxation, worth = (
        [getattr(verdict, of) for verdict in alike]
        for of in ("settling_steps", "relaxation_steps", "effective_steps")
    )
    scheduled = any(x < 0.99 * steps for x in worth)
    same = f", worth {_count(worth)} at the largest learning rate" if scheduled else ""
    return (
        f"within 10% of it after {_count(settling)} steps (relaxation {_count(relaxation)}); "
        f"the run has {steps:,}{same}"
    )


def _range(values: Iterable[float]) -> str:
    return _between(values, _number)


def _count(values: Iterable[float]) -> str:
    return _between(values, lambda x: f"{x:,.0f}")


def _between(values: Iterable[float], written: Callable[[float], str]) -> str:
    known = [x for x in values if x == x]
    if not known:
        return "?"
    ends = dict.fromkeys(written(x) for x in (min(known), max(known)))
    return " to ".join(ends)


def _number(value: float) -> str:
    return f"{value:.3g}"


def _listed(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} more"


def _plain(value: Any) -> Any:
    """Plain values all the way down; NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): _plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None
