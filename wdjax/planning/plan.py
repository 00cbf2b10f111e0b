"""What a training run will do to its weights, said before it is made."""

import dataclasses
from html import escape
from typing import Any

from wdjax.planning import averaging, course, meanings, settling, transfers
from wdjax.planning.run import Run
from wdjax.planning.section import Section

SECTIONS = (
    settling.section,
    averaging.section,
    course.section,
    meanings.section,
    transfers.section,
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What weight decay will do in a run; made by `plan`, prints as tables.

    Attributes:
      run: The run.
      sections: The tables.
    """

    run: Run
    sections: tuple[Section, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values, for JSON."""
        return {
            "run": dataclasses.asdict(self.run),
            "sections": [section._asdict() for section in self.sections],
        }

    def __str__(self) -> str:
        """All tables, one below the other."""
        return "\n\n".join([_headline(self.run), *map(str, self.sections)])

    def _repr_html_(self) -> str:
        return f"<p>{escape(_headline(self.run))}</p>" + "".join(map(_html, self.sections))


def plan(run: Run) -> Plan:
    """Says what weight decay will do in a run: equilibrium, time scales, conventions, transfer.

    Args:
      run: The numbers of the run.

    Example:
      >>> made = plan(Run(optimizer="adamw", lr=3e-4, weight_decay=0.1, steps=20_000))
      >>> print(made.sections[0])
      What a weight settles to whose scale the loss does not see
        norm ‖w‖                0.03872 √d
        angle per step          0.001777 rad  0.102°
        relaxation              16,667 steps  the run is 1.2 times as long
        direction forgotten in  33,333 steps
        (d, the number of entries: --size)
    """
    sections = (make(run) for make in SECTIONS)
    return Plan(run, tuple(section for section in sections if section is not None))


def _headline(run: Run) -> str:
    warmup = f", {run.warmup:,} of warm-up" if run.warmup else ""
    return (
        f"{run.optimizer}: learning rate {run.lr:g} ({run.schedule}), weight decay "
        f"{run.weight_decay:g}, {run.steps:,} steps{warmup}"
    )


def _html(section: Section) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in section.headings)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in section.rows
    )
    note = f"<p>{escape(section.note)}</p>" if section.note else ""
    return f"<h4>{escape(section.title)}</h4><table><tr>{head}</tr>{rows}</table>{note}"
