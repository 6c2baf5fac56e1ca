"""Compression keeps exactly as many coefficients as it says, and loses what is left out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gpuconv import spectral
from tests.assertions import assert_close
from tests.cases import draw

METHODS = ("largest", "disc", "dct", "blocks")


def cosines(size):
    k, n = np.mgrid[:size, :size]
    rows = np.cos(np.pi * k * (n + 0.5) / size)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def coefficients(x, method):
    """An orthonormal transform of a matrix as a vector, by matrices."""
    rows, columns = x.shape
    if method == "dct":
        return cosines(rows) @ x @ cosines(columns).T
    if method == "blocks":
        block = cosines(8)
        return np.stack(
            [block @ x[i : i + 8, j : j + 8] @ block.T for i in range(0, rows, 8) for j in range(0, columns, 8)]
        )
    k, m = np.mgrid[:rows, :columns]
    phase = 2 * np.pi * (np.multiply.outer(k, k) / rows + np.multiply.outer(m, m) / columns)
    return np.tensordot(np.cos(phase) + np.sin(phase), x, axes=2) / np.sqrt(x.size)


@pytest.mark.parametrize("keep", [0.01, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_as_many_coefficients_are_kept_as_the_ratio_says(method, keep):
    x = draw((16, 24), "float64", "x")
    small = spectral.compress(x, keep, method=method)
    kept = round(x.size / small.ratio)
    assert 0 <= max(1, round(keep * x.size)) - kept <= (method == "disc")
    before, after = (coefficients(image, "largest" if method == "disc" else method) for image in (x, small.image))
    assert np.count_nonzero(abs(after) > 1e-12) == kept
    if method != "disc":
        threshold = np.sort(abs(before).ravel())[-kept]
        assert_close(after, np.where(abs(before) >= threshold, before, 0), taps=x.size)


@pytest.mark.parametrize("method", METHODS)
def test_the_peak_signal_to_noise_ratio_is_that_of_the_image(method):
    x = draw((16, 24), "float64", "x")
    small = spectral.compress(x, 0.2, method=method)
    error = np.mean((small.image - x) ** 2)
    assert small.psnr == pytest.approx(10 * np.log10((x.max() - x.min()) ** 2 / error))
    photo = np.clip(60 * x + 128, 0, 255).astype(np.uint8)
    small = spectral.compress(photo, 0.2, method=method)
    assert small.image.dtype == "float32"
    error = np.mean((small.image.astype(float) - photo) ** 2)
    assert small.psnr == pytest.approx(10 * np.log10(255**2 / error), rel=1e-5)
    assert spectral.compress(x, 1.0, method=method).psnr > 250


@pytest.mark.parametrize("shape", [(7, 9), (8, 6), (1, 5), (12,), (3, 4, 5)])
def test_a_disc_is_the_slowest_waves(shape):
    x = draw(shape, "float64", "x")
    small = spectral.compress(x, 0.4, method="disc")
    spectrum, left = np.fft.fftn(x), np.fft.fftn(small.image)
    radius = np.sqrt(sum(f**2 for f in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")))
    kept = abs(left) > 1e-9
    assert_close(np.where(kept, left, 0), np.where(kept, spectrum, 0), taps=64)
    assert radius[kept].max() <= radius[~kept].min() + 1e-12
    assert kept.sum() == round(x.size / small.ratio)


def test_odd_sizes_are_mirrored_up_to_whole_blocks():
    x = draw((13, 9), "float64", "x")
    small = spectral.compress(x, 0.1, method="blocks")
    assert small.ratio == 117 / 26
    whole = spectral.compress(np.pad(x, ((0, 3), (0, 7)), mode="symmetric"), 0.1, method="blocks")
    assert_close(small.image, whole.image[:13, :9], taps=16)
    assert_close(spectral.compress(x, 1.0, method="blocks").image, x, taps=64)


def test_colours_are_compressed_one_by_one():
    x = draw((16, 3, 8), "float64", "x")
    for method in METHODS:
        together = spectral.compress(x, 0.1, method=method, axes=(2, 0))
        assert together.psnr.shape == (3,)
        for c in range(3):
            one = spectral.compress(x[:, c].T, 0.1, method=method)
            assert_close(together.image[:, c].T, one.image, taps=32)
            assert together.psnr[c] == pytest.approx(float(one.psnr))
            assert together.ratio == one.ratio


def test_the_largest_coefficients_are_the_best():
    x = draw((16, 16), "float64", "x")
    largest, disc = (spectral.compress(x, 0.1, method=method).psnr for method in ("largest", "disc"))
    assert largest > disc


def test_nothing_lost_is_infinitely_good_and_has_no_slope():
    torch = pytest.importorskip("torch")
    x = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    small = spectral.compress(x, 0.5)
    assert small.psnr.item() == np.inf
    small.psnr.backward()
    assert x.grad.tolist() == np.zeros((4, 4)).tolist()


REFUSED = {
    "keep must be above 0 and at most 1: got 0": lambda: spectral.compress(np.ones(4), 0),
    "keep must be above 0 and at most 1: got 20": lambda: spectral.compress(np.ones(4), 20),
    "method must be one of 'disc', 'largest', 'dct', 'blocks': got 'jpeg'": lambda: spectral.compress(
        np.ones(4), method="jpeg"
    ),
    "compress needs a real image: x has dtype complex128": lambda: spectral.compress(np.ones(4) * 1j),
    "compress needs samples: x has shape (0, 3)": lambda: spectral.compress(np.ones((0, 3))),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        REFUSED[message]()


def test_of_equal_coefficients_the_first_are_kept():
    x = np.zeros((8, 8))
    x[2, 3] = 1.0  # all its Hartley coefficients but a few are as large as others
    for keep in (0.1, 0.25, 0.5):
        small = spectral.compress(x, keep)
        assert np.count_nonzero(abs(coefficients(small.image, "largest")) > 1e-12) == round(64 * keep)
    assert spectral.compress(np.zeros((4, 4))).image.tolist() == np.zeros((4, 4)).tolist()
