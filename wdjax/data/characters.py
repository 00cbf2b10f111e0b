"""English text that is on every machine with CPython: the manual behind `help("topics")`."""

import hashlib
from importlib import import_module
from typing import NamedTuple

import numpy as np

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
"""Newline and the printable characters of ASCII; the index of a character is its token."""
OTHER = "?"
"""What stands for the few characters (dashes, curly quotes) that are not in the alphabet."""
TEST_SHARE = 0.1


class Text(NamedTuple):
    """Text as tokens, split into training and test.

    Attributes:
      name: What it is called in records.
      train: (n,), int32, in 0 .. len(ALPHABET) − 1.
      test: As train; the end of the text.
    """

    name: str
    train: np.ndarray
    test: np.ndarray

    def sha256(self) -> str:
        """SHA-256 of both arrays, so that a record says which text it is about."""
        return hashlib.sha256(self.train.tobytes() + self.test.tobytes()).hexdigest()


def load_characters() -> Text:
    """Returns the topics of Python's manual, some 80,000 words, in the order of their names.

    The last tenth is the test text. The text is another in each version of Python, so compare the
    `sha256` of records.

    Raises:
      ModuleNotFoundError: This Python came without `pydoc_data`.

    Source: The Python Language Reference (PSF licence), as in `pydoc_data.topics`.

    Example:
      >>> decode(load_characters().train[:22])
      'The "assert" statement'
    """
    tokens = encode("\n".join(text for _, text in sorted(_topics().items())))
    end = len(tokens) - int(TEST_SHARE * len(tokens))
    return Text("Python's manual", tokens[:end], tokens[end:])


def encode(text: str) -> np.ndarray:
    """Returns the tokens of a text, (length,), int32; `OTHER` for what is not in the alphabet.

    Example:
      >>> encode("a b…")
      array([66,  1, 67, 32], dtype=int32)
    """
    index = {character: token for token, character in enumerate(ALPHABET)}
    return np.array([index.get(character, index[OTHER]) for character in text], np.int32)


def decode(tokens: np.ndarray) -> str:
    """Returns the text of tokens."""
    return "".join(ALPHABET[token] for token in tokens)


def windows(tokens: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a text into pieces that do not overlap; returns them, and what follows each character.

    Args:
      tokens: (n,).
      length: Characters per piece, from 1 to n − 1.

    Returns:
      Inputs and targets, each (pieces, length); the rest of the text is dropped.

    Raises:
      ValueError: The length is out of range.

    Example:
      >>> windows(np.arange(6), 2)
      (array([[0, 1],
             [2, 3]]), array([[1, 2],
             [3, 4]]))
    """
    if not 1 <= length < len(tokens):
        raise ValueError(
            f"length is {length}; expected 1 to {len(tokens) - 1}, for {len(tokens)} characters."
        )
    end = (len(tokens) - 1) // length * length
    return tokens[:end].reshape(-1, length), tokens[1 : end + 1].reshape(-1, length)


def _topics() -> dict[str, str]:
    # By name: type checkers carry no stub of it, and some builds of Python leave it out.
    try:
        return import_module("pydoc_data.topics").topics
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "this Python came without pydoc_data, whose text the characters are taken from. "
            "Install the full standard library (on Debian: python3-full, or libpython3-stdlib)."
        ) from missing
