"""Other people's functions under `gpuconv.patch`: scikit-image, dask-image and scipy.signal run on ours, unchanged."""

from __future__ import annotations

import functools
import importlib

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

import gpuconv
import gpuconv.ndimage
import gpuconv.signal
from tests.assertions import assert_close
from tests.libraries import make, open_library

MODULES = {"ndimage": gpuconv.ndimage, "signal": gpuconv.signal}


@pytest.fixture
def called(monkeypatch):
    """The set of gpuconv's functions that were called through a patch."""
    noted = set()

    def recording(name, function):
        @functools.wraps(function)
        def recorded(*args, **kwargs):
            noted.add(name)
            return function(*args, **kwargs)

        return recorded

    for part, module in MODULES.items():
        for name in module.__all__:
            monkeypatch.setattr(module, name, recording(f"{part}.{name}", getattr(module, name)))
    return noted


# Module, function, arguments behind the image, and which of our functions it must have called.
SKIMAGE = [
    ("filters", "gaussian", {"sigma": 2.0, "mode": "wrap"}, "ndimage.gaussian_filter"),
    ("filters", "unsharp_mask", {"radius": 1.5}, "ndimage.gaussian_filter"),
    ("filters", "difference_of_gaussians", {"low_sigma": 1.0, "high_sigma": 3.0}, "ndimage.gaussian_filter"),
    ("filters", "sobel", {}, "ndimage.convolve"),
    ("filters", "scharr", {"axis": 0}, "ndimage.convolve"),
    ("filters", "roberts", {}, "ndimage.convolve"),
    ("filters", "laplace", {}, "ndimage.convolve"),
    ("filters", "gabor", {"frequency": 0.3}, "ndimage.convolve"),
    ("filters", "median", {"behavior": "ndimage"}, "ndimage.median_filter"),
    ("feature", "corner_harris", {}, "ndimage.gaussian_filter"),
    ("feature", "structure_tensor", {"sigma": 1.0}, "ndimage.sobel"),
    ("feature", "hessian_matrix", {"sigma": 1.0, "use_gaussian_derivatives": True}, "ndimage.gaussian_filter"),
    ("feature", "match_template", {"template": "corner"}, "signal.fftconvolve"),
    ("feature", "peak_local_max", {}, "ndimage.maximum_filter"),
    ("feature", "canny", {"sigma": 1.5}, "ndimage.gaussian_filter"),
    ("metrics", "structural_similarity", {"im2": "flipped", "data_range": 1.0}, "ndimage.uniform_filter"),
    ("restoration", "richardson_lucy", {"psf": "box", "num_iter": 3}, "signal.convolve"),
]


@pytest.mark.parametrize(("module", "name", "arguments", "ours"), SKIMAGE, ids=[row[1] for row in SKIMAGE])
def test_scikit_image_gives_the_same_on_our_functions(called, rng, module, name, arguments, ours):
    function = _skimage(module, name)
    image = scipy.ndimage.gaussian_filter(rng.random((32, 40)), 1.0)
    image = (image - image.min()) / (image.max() - image.min())
    made = {"corner": image[:7, :9], "flipped": image[::-1].copy(), "box": np.full((3, 3), 1 / 9)}
    arguments = {
        key: made[value] if isinstance(value, str) and value in made else value for key, value in arguments.items()
    }
    expected = function(image, **arguments)
    assert called == set()
    with gpuconv.patch("scipy", modules=("skimage",)):
        actual = function(image, **arguments)
    assert ours in called
    for one, other in zip(*map(_arrays, (actual, expected)), strict=True):
        # Correlations of centred images, and quotients, lose a few digits: the images are of order one throughout.
        assert_close(one, other, tolerance=1e-10 if one.dtype.kind == "f" else 0, case=name)


def _skimage(module, name):
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    return getattr(importlib.import_module(f"skimage.{module}"), name)


def _arrays(result):
    return [np.asarray(array) for array in (result if isinstance(result, (tuple, list)) else (result,))]


def test_a_function_that_scikit_image_bound_early_needs_its_name(called, rng):
    function = _skimage("feature", "match_template")
    image = rng.random((16, 16))
    with gpuconv.patch("scipy"):
        function(image, image[:3, :3])
    assert called == set()


def test_scipys_own_modules_are_not_reached(called, rng):
    x = rng.random(30)
    with gpuconv.patch("scipy"):
        scipy.signal.spectrogram(x, nperseg=8)
        scipy.ndimage.morphological_gradient(x, 3)
    assert called == set()


# dask-image, which filters each chunk with a margin: beyond the edges of the array SciPy wraps a chunk around itself.
CHUNKS = ((5, 8), (3, 9, 5))
WEIGHTS = np.arange(12.0).reshape(3, 4)
DASK_IMAGE = {
    "convolve": {"weights": WEIGHTS, "origin": 1},
    "correlate": {"weights": WEIGHTS},
    "gaussian": {"sigma": 1.5},
    "gaussian_filter": {"sigma": (1.5, 0.7), "order": 1},
    "gaussian_gradient_magnitude": {"sigma": 1.5},
    "gaussian_laplace": {"sigma": 1.5},
    "laplace": {},
    "prewitt": {"axis": 0},
    "sobel": {"axis": 1},
    "uniform_filter": {"size": 4},
}


@pytest.fixture
def dask_image():
    pytest.importorskip("dask_image", reason="dask-image is not installed")
    open_library("dask")
    return importlib.import_module("dask_image.ndfilters")


@pytest.mark.parametrize("name", DASK_IMAGE)
@pytest.mark.parametrize("mode", ["wrap", "reflect"])
def test_dask_image_is_right_across_chunks_in_every_mode(dask_image, rng, name, mode):
    x = rng.random((13, 17))
    image = make(open_library("dask"), x, chunks=CHUNKS)
    arguments = DASK_IMAGE[name] | {"mode": mode}
    expected = getattr(scipy.ndimage, "gaussian_filter" if name == "gaussian" else name)(x, **arguments)
    if mode == "wrap" and name not in ("convolve", "correlate"):
        without = getattr(dask_image, name)(image, **arguments).compute()
        assert abs(without - expected).max() > 0.01, "dask-image has been mended: say so in docs/patching.md"
    with gpuconv.patch("dask_image"):
        y = getattr(dask_image, name)(image, **arguments)
    assert type(y) is type(image)
    assert y.dtype == x.dtype
    # Computed after the block, by dask's own threads: the graph holds gpuconv's work, not a name to look up.
    assert_close(y.compute(scheduler="threads"), expected, taps=13, scale=float(WEIGHTS.sum()), case=name)


def test_dask_image_arguments_by_position_and_its_own_calls(dask_image, rng):
    x = rng.random((13, 17))
    image = make(open_library("dask"), x, chunks=CHUNKS)
    with gpuconv.patch("dask_image") as patched:
        by_position = dask_image.gaussian_filter(image, 1.5, 0, "wrap", 0.0, 3.0)
        # It calls gaussian_filter through a module of its own.
        threshold = dask_image.threshold_local(image, 5, "gaussian", mode="wrap", param=1.5)
        with pytest.raises(AttributeError, match="map_overlap"):
            dask_image.gaussian_filter(x, 1.5)
    assert "dask_image.ndfilters._gaussian.gaussian_filter" in patched.replaced
    assert_close(by_position, scipy.ndimage.gaussian_filter(x, 1.5, mode="wrap", truncate=3.0), taps=11)
    assert_close(threshold, scipy.ndimage.gaussian_filter(x, 1.5, mode="wrap"), taps=13)


def test_what_dask_image_runs_in_dasks_threads_is_reached_everywhere(called, dask_image, rng):
    x = rng.random((13, 17))
    with gpuconv.patch("scipy", everywhere=True):
        y = dask_image.sobel(make(open_library("dask"), x, chunks=CHUNKS)).compute(scheduler="threads")
    assert "ndimage.sobel" in called
    assert_close(y, scipy.ndimage.sobel(x), taps=9, scale=8.0)
