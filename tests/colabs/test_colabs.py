"""The notebooks are what their sources say, begin as they should, and run."""

import os
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from wdjax.experiments import ARTICLES
from wdjax.experiments.notebook import experiments

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "colabs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
BADGE = "https://colab.research.google.com/github/wdjax/wdjax/blob/main/colabs/{}.ipynb"
ONE_CELL = 300
"""Seconds; all quick runs of an article are one cell."""


def notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def cells(found):
    return [(cell.cell_type, cell.source) for cell in found.cells]


def code(name):
    return [cell.source for cell in notebook(name).cells if cell.cell_type == "code"]


def test_there_is_one_for_each_article_and_a_quickstart():
    asked = {
        key: [name for name in NAMES if f'ARTICLE = "{key}"' in "\n".join(code(name))]
        for key in ARTICLES
    }
    assert all(len(found) == 1 for found in asked.values()), asked
    assert "quickstart" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_its_source_and_keeps_no_outputs(name):
    found = notebook(name)
    assert cells(found) == cells(jupytext.read(FOLDER / f"{name}.py"))
    for cell in found.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_title_badge_install_cell_and_switch(name):
    title = notebook(name).cells[0].source
    assert title.startswith("# ")
    assert BADGE.format(name) in title
    install, *others = code(name)
    assert install == code("quickstart")[0]
    assert 'find_spec("wdjax") is None' in install
    assert any("FAST = False" in source for source in others)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Where the notebooks keep what they compile: some run the same experiment."""
    return tmp_path_factory.mktemp("compiled")


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, compiled):
    found = notebook(name)
    # One device, float32, quick settings: as a reader's, not as these tests'.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    client = NotebookClient(found, timeout=ONE_CELL, resources={"metadata": {"path": ROOT}})
    client.execute(env=kept | {"WDJAX_FAST": "1", "JAX_COMPILATION_CACHE_DIR": str(compiled)})
    outputs = [output for cell in found.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    shown = [output["data"] for output in outputs if "data" in output]
    assert all("text/html" in data or "image/png" in data for data in shown)
    keys = [key for key in ARTICLES if f'ARTICLE = "{key}"' in "\n".join(code(name))]
    for experiment in (asked for key in keys for asked in experiments(key)):
        start = f"<h3>{experiment}<"
        (page,) = [data["text/html"] for data in shown if data["text/html"].startswith(start)]
        assert page.count("<img") >= 1
        assert "its verdicts are no evidence" in page
