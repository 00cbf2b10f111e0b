import sys

import numpy as np
import pytest

from wdjax.data import ALPHABET, decode, encode, load_characters, windows


def test_the_text_is_english_and_whole():
    text = load_characters()
    assert len(text.train) > 300_000
    assert len(text.train) == pytest.approx(9 * len(text.test), rel=1e-4)
    assert text.train.dtype == text.test.dtype == np.int32
    words = decode(text.train).split()
    assert words.count("the") > 3_000
    assert text.train.min() >= 0
    assert text.train.max() < len(ALPHABET) == 96


def test_the_digest_says_which_text_it_is():
    text = load_characters()
    assert text.sha256() == load_characters().sha256()
    assert text.sha256() != text._replace(train=text.train[1:]).sha256()
    assert len(text.sha256()) == 64


def test_characters_are_encoded_and_back():
    assert decode(encode(ALPHABET)) == ALPHABET
    assert decode(encode("a — b\t“c”")) == "a ? b??c?"


def test_targets_are_what_follows():
    tokens = np.arange(20)
    inputs, targets = windows(tokens, 6)
    assert inputs.shape == targets.shape == (3, 6)
    np.testing.assert_array_equal(targets, inputs + 1)
    np.testing.assert_array_equal(inputs.ravel(), np.arange(18))


def test_a_text_that_fits_exactly_leaves_one_for_the_last_target():
    assert windows(np.arange(13), 6)[0].shape == (2, 6)
    assert windows(np.arange(12), 6)[0].shape == (1, 6)


@pytest.mark.parametrize("length", [0, -1, 5])
def test_lengths_out_of_range_are_refused(length):
    with pytest.raises(ValueError, match=f"length is {length}; expected 1 to 4"):
        windows(np.arange(5), length)


def test_a_python_without_the_text_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ModuleNotFoundError, match="came without pydoc_data"):
        load_characters()
