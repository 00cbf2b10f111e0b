import csv
import json

import numpy as np
import pytest

from wdjax.tracking import Measures
from wdjax.tracking.writers import CSVWriter, JSONLWriter, full

STEP = Measures(*(np.array([0.5, i]) for i in range(10)))
KINDS = pytest.mark.parametrize("kind", [JSONLWriter, CSVWriter])


def rows(kind, path):
    """The step numbers and losses, as programs that know nothing of wdjax read them."""
    text = path.read_text("utf-8")
    if kind is JSONLWriter:
        read = [json.loads(line) for line in text.splitlines()]
    else:
        read = list(csv.DictReader(text.splitlines()))
    return [(int(row["step"]), float(row["loss"])) for row in read]


def write(writer, steps):
    for step in steps:
        writer.write(step, {"größe": STEP}, loss=step / 4)


@KINDS
def test_a_file_is_continued_where_it_is_opened_again(kind, tmp_path):
    path = tmp_path / "new" / "folder" / "run"
    write(kind(path), range(3))
    write(kind(path), range(3, 5))
    assert rows(kind, path) == [(step, step / 4) for step in range(5)]
    assert "größe/norm/max" in path.read_text("utf-8")


@KINDS
def test_whatever_a_crash_left_is_mended(kind, tmp_path):
    def opened():
        return kind(path, flatten=lambda measures: {"größe": 0.5})

    path = tmp_path / "run"
    write(opened(), range(3))
    data = path.read_bytes()
    ends = [end + 1 for end, byte in enumerate(data) if byte == ord("\n")]
    for size in range(len(data)):
        path.write_bytes(data[:size])
        left = max([end for end in ends if end <= size], default=0)
        is_whole = kind is JSONLWriter and size + 1 in ends
        if left == size or is_whole:
            writer = opened()
        else:
            with pytest.warns(UserWarning, match=rf"run ended within a row.* {size - left} bytes"):
                writer = opened()
        kept = sum(end <= size for end in ends) + is_whole - (kind is CSVWriter)
        writer.write(9, {"größe": STEP}, loss=1.5)
        assert rows(kind, path) == [(step, step / 4) for step in range(kept)] + [(9, 1.5)]


def test_a_long_row_is_mended_too(tmp_path):
    path = tmp_path / "run"
    many = Measures(*(np.zeros(2_000) for _ in range(10)))
    for step in range(2):
        JSONLWriter(path, full).write(step, {"w": many})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.warns(UserWarning, match="ended within a row"):
        JSONLWriter(path)
    (line,) = path.read_text().splitlines()
    assert len(json.loads(line)) == 20_001


@KINDS
def test_an_error_while_writing_leaves_no_part_of_a_row(kind, tmp_path, monkeypatch):
    path = tmp_path / "run"
    writer = kind(path)
    write(writer, range(2))
    before = path.read_bytes()

    class Full:
        """A file on a disk with room for five more bytes."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            return self.file.write(data[:5])

    opened = type(path).open
    with monkeypatch.context() as patched:
        patched.setattr(type(path), "open", lambda *args, **kw: Full(opened(*args, **kw)))
        with pytest.raises(OSError, match="is the disk full"):
            write(writer, [2])
    assert path.read_bytes() == before
    write(writer, [2])
    assert rows(kind, path)[-1] == (2, 0.5)


def test_numbers_that_are_not_finite_are_valid_json(tmp_path):
    path = tmp_path / "run"
    JSONLWriter(path).write(0, {}, a=np.nan, b=np.inf, c=-np.inf)

    def refuse(name):
        raise AssertionError(name)

    read = json.loads(path.read_text(), parse_constant=refuse)
    assert read == {"step": 0, "a": "NaN", "b": "Infinity", "c": "-Infinity"}
    assert float(read["c"]) == -np.inf


def test_numbers_that_are_not_finite_are_read_from_csv(tmp_path):
    CSVWriter(tmp_path / "run").write(0, {}, a=np.nan, b=-np.inf)
    assert (tmp_path / "run").read_text() == "step,a,b\n0,nan,-inf\n"


def test_columns_may_come_in_another_order_but_not_be_others(tmp_path):
    path = tmp_path / "run.csv"
    CSVWriter(path).write(0, {}, a=1, b=2)
    writer = CSVWriter(path)
    writer.write(1, {}, b=4, a=3)
    assert path.read_text() == "step,a,b\n0,1.0,2.0\n1,3.0,4.0\n"
    with pytest.raises(ValueError, match=r"only in the file: \['b'\]; only in the step: \['c'\]"):
        writer.write(2, {}, a=1, c=2)


@KINDS
def test_a_file_of_another_kind_is_left_alone(kind, tmp_path):
    path = tmp_path / "notes"
    path.write_text("To do: water the plants")
    with pytest.raises(ValueError, match=r"notes begins with 'To d.*Give another path"):
        kind(path)
    assert path.read_text() == "To do: water the plants"
    with pytest.raises(ValueError, match="is not a file"):
        kind(tmp_path)
