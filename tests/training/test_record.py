import numpy as np
import pytest

from wdjax.training import Outcome, RunRecord, Verdict, load_record, save_record

VERDICT = Verdict("‖w‖ settles", "0", "0.1", Outcome.IN_PART, "because", {"drift": 0.1})
RECORD = RunRecord(
    experiment="equilibrium",
    source="an article",
    config={"steps": 10, "data": None},
    environment={"jax": "0"},
    summary="two runs",
    seconds=1.5,
    verdicts=(VERDICT,),
    arrays={"norm": np.arange(6.0).reshape(2, 3), "group": np.array(["a", "b"])},
)


def test_a_record_comes_back_as_it_was(tmp_path):
    save_record(RECORD, tmp_path / "new" / "folder")
    back = load_record(tmp_path / "new" / "folder")
    assert back.verdicts == RECORD.verdicts
    assert back.config == RECORD.config
    assert isinstance(back.verdicts[0].outcome, Outcome)
    np.testing.assert_array_equal(back.arrays["norm"], RECORD.arrays["norm"])
    assert list(back.arrays["group"]) == ["a", "b"]


@pytest.mark.parametrize("name", ["record.json", "arrays.npz"])
def test_a_damaged_record_is_explained(tmp_path, name):
    save_record(RECORD, tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="is damaged"):
        load_record(tmp_path)


def test_a_missing_record_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no record\.json"):
        load_record(tmp_path)


def test_a_record_with_unknown_fields_is_explained(tmp_path):
    save_record(RECORD, tmp_path)
    (tmp_path / "record.json").write_text('{"verdicts": []}')
    with pytest.raises(ValueError, match="is damaged"):
        load_record(tmp_path)
