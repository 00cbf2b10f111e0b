"""CIFAR-10 in its official layouts: binary or Python batches, in a directory or a tar archive."""

import hashlib
import io
import lzma
import pickle
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from wdjax.data.dataset import Dataset

RECORDS = 10_000
PIXELS = 3 * 32 * 32
CLASSES = 10

# MD5 of the archives, as the data set's page gives them: https://www.cs.toronto.edu/~kriz/cifar.html
OFFICIAL_ARCHIVES = {
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
}


class _Layout(NamedTuple):
    """File names in order, the last being the test batch, and how a file's bytes are decoded."""

    files: tuple[str, ...]
    decode: Callable[[bytes, str], tuple[np.ndarray, np.ndarray]]


def load_cifar10(path: str | Path, sha256: str | None = None) -> Dataset:
    """Loads CIFAR-10 from the directory or the tar archive in which it is published.

    Four layouts are known: `data_batch_1.bin` … `test_batch.bin` (records of one label byte and
    3,072 pixel bytes) or `data_batch_1` … `test_batch` (pickled dictionaries), each in a directory
    (or one directory further down) or in an archive (`cifar-10-binary.tar.gz`,
    `cifar-10-python.tar.gz`). Archives are read in place, and nothing is written. Pickles are read
    by an unpickler that can only build arrays, lists and strings. Sizes, shapes and labels are
    checked always, and the MD5 of an archive that bears an official name.

    Args:
      path: The directory or archive.
      sha256: The digest that `Dataset.sha256` has to give; None to accept any images of the right
        number, size and labels.

    Returns:
      50,000 training and 10,000 test images of shape (32, 32, 3), uint8.

    Raises:
      FileNotFoundError: There is nothing at the path, or a batch is missing.
      ValueError: A file has the wrong size or contents, an archive is damaged or is not the
        official one of its name, or the digest is another.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
    """
    found = _files(Path(path))
    layout = next(
        (layout for layout in _LAYOUTS if any(name in found for name in layout.files)), None
    )
    if layout is None:
        raise FileNotFoundError(
            f"{path} holds no CIFAR-10 batch. Expected {_BINARY.files[0]} to {_BINARY.files[-1]} "
            f"(binary layout) or {_PYTHON.files[0]} to {_PYTHON.files[-1]} (Python layout), in "
            "the directory or in the archive."
        )
    missing = [name for name in layout.files if name not in found]
    if missing:
        raise FileNotFoundError(f"{path} lacks {', '.join(missing)} of CIFAR-10's six batches.")
    batches = [layout.decode(found[name], f"{path}: {name}") for name in layout.files]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    dataset = Dataset(
        "CIFAR-10", images[:-RECORDS], labels[:-RECORDS], images[-RECORDS:], labels[-RECORDS:]
    )
    if sha256 is not None and dataset.sha256() != sha256:
        raise ValueError(
            f"{path} has the sha256 {dataset.sha256()}, not {sha256}: these are other images or "
            "labels than expected. Fetch the data set again, or leave sha256 out."
        )
    return dataset


def _files(path: Path) -> dict[str, bytes]:
    """Returns the contents of the known files, by name, from a directory or an archive."""
    known = {name for layout in _LAYOUTS for name in layout.files}
    if path.is_dir():
        places = [path, *sorted(inner for inner in path.iterdir() if inner.is_dir())]
        folder = next((p for p in places if any((p / name).is_file() for name in known)), path)
        return {name: (folder / name).read_bytes() for name in known if (folder / name).is_file()}
    if not path.exists():
        raise FileNotFoundError(
            f"there is nothing at {path}; expected the directory or the tar archive of CIFAR-10."
        )
    _require_official(path)
    try:
        with tarfile.open(path) as archive:
            inside = {
                PurePosixPath(entry.name).name: _contents(archive, entry)
                for entry in archive
                if entry.isfile() and PurePosixPath(entry.name).name in known
            }
            _read_to_end(archive)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(
            f"{path} cannot be read as a tar archive ({error}): it is damaged, cut short, or "
            "something else. Fetch it again."
        ) from error
    return inside


def _require_official(path: Path) -> None:
    """An archive that bears an official name has to be the official one."""
    expected = OFFICIAL_ARCHIVES.get(path.name)
    if expected is None:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != expected:
        raise ValueError(
            f"{path} has the md5 {found}; the official {path.name} has {expected}. It is cut short "
            "or was changed: fetch it again, or rename it if it is meant to be another archive."
        )


def _contents(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry)
    return b"" if stream is None else stream.read()


def _read_to_end(archive: tarfile.TarFile) -> None:
    """Decompresses what is left: the checksum of the compressed stream stands at its end."""
    while archive.fileobj is not None and archive.fileobj.read(1 << 20):
        pass


def _decode_binary(data: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    expected = RECORDS * (1 + PIXELS)
    if len(data) != expected:
        raise ValueError(
            f"{where} has {len(data):,} bytes; expected {expected:,} ({RECORDS:,} records of one "
            f"label and {PIXELS:,} pixels). It is cut short or of another data set."
        )
    records = np.frombuffer(data, np.uint8).reshape(RECORDS, 1 + PIXELS)
    return _checked(records[:, 1:], records[:, 0], where)


def _decode_python(data: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(
            f"{where} cannot be read as a pickled batch ({error}): it is damaged, cut short, or of "
            "another data set."
        ) from error
    fields = {_text(key): value for key, value in batch.items()} if isinstance(batch, dict) else {}
    if "data" not in fields or "labels" not in fields:
        raise ValueError(f"{where} has the fields {sorted(fields)}; expected 'data' and 'labels'.")
    return _checked(np.asarray(fields["data"]), np.asarray(fields["labels"]), where)


def _checked(pixels: np.ndarray, labels: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Checks shapes and labels; returns images as NHWC and labels as int32."""
    if pixels.shape != (RECORDS, PIXELS) or pixels.dtype != np.uint8 or labels.shape != (RECORDS,):
        raise ValueError(
            f"{where} has pixels of shape {pixels.shape} and dtype {pixels.dtype}, and labels of "
            f"shape {labels.shape}; expected ({RECORDS}, {PIXELS}) uint8 and ({RECORDS},)."
        )
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(
            f"{where} has labels from {labels.min()} to {labels.max()}; expected 0 to "
            f"{CLASSES - 1}. It is damaged, or of another data set (CIFAR-100 has two labels)."
        )
    images = pixels.reshape(RECORDS, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int32)


def _text(key: Any) -> str:
    return key.decode("ascii", "replace") if isinstance(key, bytes) else str(key)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of arrays and plain containers, and refuses everything that could run code."""

    # By its public way: the module that holds this function has changed its name.
    _RECONSTRUCT = np.empty(0).__reduce__()[0]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module.endswith("core.multiarray"):
            return self._RECONSTRUCT
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return lambda text, encoding: text.encode(encoding)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into a CIFAR-10 batch")


_BINARY = _Layout((*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"), _decode_binary)
_PYTHON = _Layout((*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"), _decode_python)
_LAYOUTS = (_BINARY, _PYTHON)
