import numpy as np

from wdjax.data import load_digits, standardise


def test_the_digits_are_all_there():
    digits = load_digits()
    assert digits.train_images.shape == (1437, 8, 8, 1)
    assert digits.test_images.shape == (360, 8, 8, 1)
    assert digits.classes == 10
    assert digits.train_images.max() == 16
    assert set(np.unique(digits.test_labels)) == set(range(10))


def test_standardised_by_the_training_images():
    plain, standard = load_digits(), standardise(load_digits())
    assert standard.train_images.dtype == np.float32
    np.testing.assert_allclose(standard.train_images.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(standard.train_images.std(), 1, atol=1e-6)
    scale = plain.train_images.std()
    np.testing.assert_allclose(
        np.ptp(standard.test_images) * scale, np.ptp(plain.test_images.astype(float)), rtol=1e-5
    )


def test_the_digest_depends_on_every_array():
    digits = load_digits()
    assert digits.sha256() == load_digits().sha256()
    changed = digits._replace(test_labels=digits.test_labels[::-1])
    assert digits.sha256() != changed.sha256()
