"""The verdicts of a record as a table for the terminal."""

from rich.table import Table
from rich.text import Text

from wdjax.training import Outcome, RunRecord

STYLES = {Outcome.HOLDS: "green", Outcome.IN_PART: "yellow", Outcome.FAILS: "red"}


def verdict_table(record: RunRecord) -> Table:
    """Returns a table: claimed, predicted, measured, verdict."""
    table = Table(title=record.source, caption=record.note or None, show_lines=True)
    for heading in ("claimed", "predicted", "measured"):
        table.add_column(heading, ratio=3)
    table.add_column("verdict", ratio=1)
    for verdict in record.verdicts:
        table.add_row(
            # As text, so that brackets are not taken for markup.
            Text(verdict.claim),
            Text(verdict.predicted),
            Text(verdict.measured),
            Text(verdict.outcome, style=STYLES[verdict.outcome]),
        )
    return table
