import io

from rich.console import Console

from tests.report.sample import RECORD
from wdjax.report import verdict_table


def test_the_table_says_what_the_record_says():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(verdict_table(RECORD))
    text = console.export_text()
    assert RECORD.note in text
    for verdict in RECORD.verdicts:
        for part in (verdict.claim, verdict.predicted, verdict.measured, str(verdict.outcome)):
            assert part in text
