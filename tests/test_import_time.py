from benchmarks.import_time import LIMIT, measure


def test_importing_costs_hardly_more_than_optax():
    # The best of five in turns; a second try if the machine was busy with something else.
    assert any(measure()["ratio"] <= LIMIT for _ in range(2))
