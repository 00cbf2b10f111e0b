"""The loader on files in the official layouts, made here of random images; and on bad ones."""

import pickle
import tarfile

import numpy as np
import pytest

from wdjax.data import load_cifar10
from wdjax.data.cifar import PIXELS, RECORDS

NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
RNG = np.random.default_rng(0)
BATCHES = {
    name: (
        RNG.integers(0, 256, (RECORDS, PIXELS), np.uint8),
        RNG.integers(0, 10, RECORDS, np.uint8),
    )
    for name in NAMES
}


def write_binary(folder):
    for name, (pixels, labels) in BATCHES.items():
        (folder / f"{name}.bin").write_bytes(np.column_stack([labels, pixels]).tobytes())


def write_python(folder, protocol=2):
    for name, (pixels, labels) in BATCHES.items():
        batch = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The four layouts, of the same images."""
    top = tmp_path_factory.mktemp("cifar")
    for layout, write in (("binary", write_binary), ("python", write_python)):
        folder = top / layout / f"cifar-10-batches-{layout[:3]}"
        folder.mkdir(parents=True)
        write(folder)
        with tarfile.open(top / f"{layout}.tar", "w") as archive:
            archive.add(folder, folder.name)
    return top


@pytest.mark.parametrize("where", ["binary", "python", "binary.tar", "python.tar"])
def test_all_layouts_give_the_same_images(folders, where):
    dataset = load_cifar10(folders / where)
    pixels, labels = BATCHES["data_batch_2"]
    assert dataset.train_images.shape == (50_000, 32, 32, 3)
    assert dataset.test_images.shape == (10_000, 32, 32, 3)
    np.testing.assert_array_equal(dataset.train_labels[10_000:20_000], labels)
    red = dataset.train_images[10_005, :, :, 0]
    np.testing.assert_array_equal(red, pixels[5, :1024].reshape(32, 32))
    np.testing.assert_array_equal(dataset.test_labels, BATCHES["test_batch"][1])


def test_a_compressed_archive_and_its_digest(folders, tmp_path):
    path = tmp_path / "mine.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(folders / "binary", "anything")
    digest = load_cifar10(path).sha256()
    assert load_cifar10(folders / "python", digest).sha256() == digest
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[:1_000_000], whole[:middle] + b"?!" + whole[middle + 2 :], whole[:-8]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged, cut short"):
            load_cifar10(path)


def test_an_archive_of_an_official_name_has_to_be_the_official_one(folders, tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes((folders / "binary.tar").read_bytes())
    with pytest.raises(ValueError, match=r"has the md5 .* the official cifar-10-binary"):
        load_cifar10(path)


def test_another_digest_is_refused(folders):
    with pytest.raises(ValueError, match="other images or labels than expected"):
        load_cifar10(folders / "binary", sha256="0" * 64)


@pytest.fixture
def binary(tmp_path):
    write_binary(tmp_path)
    return tmp_path


def test_a_truncated_batch_is_named(binary):
    path = binary / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ValueError, match=r"data_batch_3\.bin has 30,729,999 bytes; expected 30,730"
    ):
        load_cifar10(binary)


def test_labels_out_of_range_are_named(binary):
    path = binary / "data_batch_1.bin"
    path.write_bytes(b"\x0b" + path.read_bytes()[1:])
    with pytest.raises(ValueError, match="labels from 0 to 11; expected 0 to 9"):
        load_cifar10(binary)


def test_a_missing_batch_is_named(binary):
    (binary / "test_batch.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks test_batch\.bin"):
        load_cifar10(binary)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not a pickle", "cannot be read as a pickled batch"),
        (pickle.dumps({"pixels": 1}), "expected 'data' and 'labels'"),
        (pickle.dumps([1, 2]), "expected 'data' and 'labels'"),
        (pickle.dumps({"data": np.zeros((2, 3)), "labels": [1]}), "expected .10000, 3072. uint8"),
        (pickle.dumps(print), "does not belong"),
    ],
)
def test_bad_pickles_are_explained_and_never_run(folders, tmp_path, data, message):
    for name in NAMES:
        (tmp_path / name).symlink_to(folders / "python" / "cifar-10-batches-pyt" / name)
    (tmp_path / "data_batch_1").unlink()
    (tmp_path / "data_batch_1").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_cifar10(tmp_path)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is nothing at"):
        load_cifar10(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="holds no CIFAR-10 batch"):
        load_cifar10(tmp_path)
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(ValueError, match="cannot be read as a tar archive"):
        load_cifar10(tmp_path / "text.tar")
