"""All articles on one page: each claim, what was run for it, and the verdict."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from wdjax.experiments.article import Article, Claim
from wdjax.experiments.experiment import Experiment
from wdjax.report import document, figures, outcome_cell, png
from wdjax.training import Outcome, RunRecord, Verdict, load_record


class Study(NamedTuple):
    """An experiment and its records.

    Attributes:
      experiment: What was run.
      record: What came out.
      variants: What came out with settings of their own; they count in no table.
    """

    experiment: Experiment
    record: RunRecord
    variants: tuple[RunRecord, ...] = ()


class Answer(NamedTuple):
    """A verdict about a claim, and where it comes from."""

    study: Study
    verdict: Verdict


def load_studies(folder: Path, experiments: Mapping[str, Experiment]) -> list[Study]:
    """Returns the experiments whose records lie in the folders of a folder, in the given order.

    A record counts if its folder is named like its experiment, as `wdjax run` names it; other
    folders hold variants with settings of their own.

    Raises:
      FileNotFoundError: There is none.
      ValueError: A record is damaged.
    """
    folders = [path.parent for path in sorted(folder.glob("*/arrays.npz"))]
    others = [load_record(path) for path in folders if path.name not in experiments]
    found = [
        Study(
            experiment,
            load_record(folder / name),
            tuple(record for record in others if record.experiment == name),
        )
        for name, experiment in experiments.items()
        if folder / name in folders
    ]
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no record.json, and no folder that does; expected a folder that "
            "`wdjax run` wrote, or the folder of such folders."
        )
    return found


def answers(claim: Claim, article: Article, studies: Sequence[Study]) -> list[Answer]:
    """Returns the verdicts about one claim of an article."""
    return [
        Answer(study, verdict)
        for study in studies
        if study.experiment.article == article.key
        for verdict in study.record.verdicts
        if verdict.of == claim.key
    ]


def unanswered(
    articles: Sequence[Article], studies: Sequence[Study]
) -> list[tuple[Article, Claim]]:
    """Returns the claims that are to be measured and have no verdict."""
    return [
        (article, claim)
        for article in articles
        for claim in article.claims
        if not claim.untested and not answers(claim, article, studies)
    ]


def counts(article: Article, studies: Sequence[Study]) -> dict[str, int]:
    """Counts the claims of an article, the verdicts about them by outcome, and what has none.

    Example:
      >>> from wdjax.experiments.article import Claim
      >>> claims = (Claim("A", "it holds", "intro"), Claim("B", "long ago", "intro", "history"))
      >>> found = counts(Article("toy", "A toy", "nobody", claims), [])
      >>> found["claims"], found["holds"], found["not measured"], found["no verdict"]
      (2, 0, 1, 1)
    """
    verdicts = [a.verdict for claim in article.claims for a in answers(claim, article, studies)]
    return {
        "claims": len(article.claims),
        **{outcome: sum(v.outcome == outcome for v in verdicts) for outcome in Outcome},
        "not measured": sum(bool(claim.untested) for claim in article.claims),
        "no verdict": len(unanswered([article], studies)),
    }


def count_table(articles: Sequence[Article], studies: Sequence[Study]) -> Table:
    """Returns the counts of all articles for the terminal."""
    table = Table(title="verdicts")
    found = {article.key: counts(article, studies) for article in articles}
    for heading in ("article", *next(iter(found.values()))):
        table.add_column(heading)
    for key, numbers in found.items():
        table.add_row(key, *map(str, numbers.values()))
    return table


def overview(articles: Sequence[Article], studies: Sequence[Study]) -> str:
    """Returns the page as HTML: article, claim, what was run, predicted, measured, verdict."""
    sections = [_section(article, studies) for article in articles]
    beside = [study for study in studies if not study.experiment.article]
    body = "\n".join([_summary(articles, studies), *sections, *map(_beside, beside)])
    return document("wdjax: what the articles claim, and what was measured", body)


def _summary(articles: Sequence[Article], studies: Sequence[Study]) -> str:
    found = {article.title: counts(article, studies) for article in articles}
    headings = "".join(f"<th>{escape(name)}</th>" for name in next(iter(found.values())))
    rows = "\n".join(
        f"<tr><td>{escape(title)}</td>"
        + "".join(f"<td>{number}</td>" for number in numbers.values())
        + "</tr>"
        for title, numbers in found.items()
    )
    return (
        "<p>Claims are in our words. A claim may have several verdicts. A claim that is not "
        "measured says why.</p>\n"
        f"<table><thead><tr><th>article</th>{headings}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _section(article: Article, studies: Sequence[Study]) -> str:
    rows = "\n".join(
        _claim_rows(claim, answers(claim, article, studies)) for claim in article.claims
    )
    own = [study for study in studies if study.experiment.article == article.key]
    return (
        f"<h2>{escape(article.title)}</h2>\n<p>{escape(article.author)}</p>\n"
        "<table><thead><tr><th>claim</th><th>what was run</th><th>predicted</th><th>measured</th>"
        f"<th>verdict</th></tr></thead><tbody>\n{rows}\n</tbody></table>\n"
        + "\n".join(map(_figures, own))
    )


def _claim_rows(claim: Claim, found: Sequence[Answer]) -> str:
    span = f' rowspan="{len(found)}"' if len(found) > 1 else ""
    said = (
        f"<td{span}><strong>{escape(claim.key)}</strong> {escape(claim.text)}"
        f"<br><small>{escape(claim.where)}</small></td>"
    )
    if not found:
        reason = claim.untested or "no record has a verdict about it"
        return f'<tr>{said}<td class="none" colspan="4">Not measured: {escape(reason)}.</td></tr>'
    first, *rest = (_answer_cells(answer) for answer in found)
    return "\n".join([f"<tr>{said}{first}</tr>", *(f"<tr>{cells}</tr>" for cells in rest)])


def _answer_cells(answer: Answer) -> str:
    (experiment, record, _), verdict = answer
    note = f"<br><small>{escape(record.note)}</small>" if record.note else ""
    return (
        f"<td><code>wdjax run {escape(experiment.name)}</code><br>"
        f"<small>{escape(verdict.claim)}</small>{note}</td>"
        f"<td>{escape(verdict.predicted)}</td>"
        f"<td>{escape(verdict.measured)}<br><small>{escape(verdict.because)}</small></td>"
        f"{outcome_cell(verdict.outcome)}"
    )


def _figures(study: Study) -> str:
    experiment = study.experiment
    return "\n".join(
        [
            f"<h3>{escape(experiment.name)}: {escape(experiment.summary)}</h3>",
            _outcome(experiment, study.record),
            *(_variant(experiment, study.record, record) for record in study.variants),
        ]
    )


def _outcome(experiment: Experiment, record: RunRecord) -> str:
    images = {plot.caption: png(plot.figure) for plot in experiment.plots(record)}
    return f"<p>{escape(record.summary)} {record.seconds:.0f} seconds.</p>\n{figures(images)}"


def _variant(experiment: Experiment, default: RunRecord, record: RunRecord) -> str:
    """A run with other settings than those of the record that counts."""
    others = ", ".join(
        f"{name} {value}"
        for name, value in record.config.items()
        if value != default.config.get(name)
    )
    return (
        f"<h4>{escape(experiment.name)} with other settings: {escape(others)}</h4>\n"
        f"{_verdicts(record)}\n{_outcome(experiment, record)}"
    )


def _beside(study: Study) -> str:
    """An experiment that is about no article."""
    source = escape(study.experiment.source)
    return f"<h2>{source}</h2>\n{_verdicts(study.record)}\n{_figures(study)}"


def _verdicts(record: RunRecord) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(verdict.claim)}</td><td>{escape(verdict.predicted)}</td>"
        f"<td>{escape(verdict.measured)}<br><small>{escape(verdict.because)}</small></td>"
        f"{outcome_cell(verdict.outcome)}</tr>"
        for verdict in record.verdicts
    )
    return (
        "<table><thead><tr><th>claimed</th><th>predicted</th><th>measured</th><th>verdict</th></tr>"
        f"</thead><tbody>\n{rows}\n</tbody></table>"
    )
