"""Filters against SciPy, scikit-image and closed forms, on NumPy alone; `test_filters_libraries.py` has the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from gpuconv import filters, kernels
from tests import reference
from tests.assertions import assert_close, assert_same_home, tolerance
from tests.cases import BOUNDARIES, draw

SHAPES = ((9, 11), (6, 7, 5), (23,))


@dataclass(frozen=True)
class Like:
    """A filter and what gives the same in another library: ``ours(x, boundary=...)`` and ``theirs(x, mode=...)``.

    `gain` is no less than the sum of the magnitudes of the weights: what rounding errors are relative to.
    """

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    gain: float
    taps: int
    ndims: tuple[int, ...] = (1, 2, 3)

    def __str__(self) -> str:
        return self.name

    def tolerance(self, x: np.ndarray) -> float:
        return tolerance("float64", self.taps, self.gain * np.abs(x).max())


def _per_axis(x, values):
    return tuple(itertools.islice(itertools.cycle(values), x.ndim))


LIKE = (
    Like(
        "gaussian",
        lambda x, **edges: filters.gaussian(x, 1.3, **edges),
        lambda x, **edges: ndimage.gaussian_filter(x, 1.3, **edges),
        1,
        33,
    ),
    Like(
        "gaussian, another sigma per axis",
        lambda x, **edges: filters.gaussian(x, _per_axis(x, (0.8, 2.1)), truncate=3, **edges),
        lambda x, **edges: ndimage.gaussian_filter(x, _per_axis(x, (0.8, 2.1)), truncate=3, **edges),
        1,
        29,
    ),
    Like(
        "gaussian, another radius per axis",
        lambda x, **edges: filters.gaussian(x, 1.5, radius=_per_axis(x, (2, 3)), **edges),
        lambda x, **edges: ndimage.gaussian_filter(x, 1.5, radius=_per_axis(x, (2, 3)), **edges),
        1,
        17,
    ),
    Like(
        "gaussian, sigma 0 on one axis",
        lambda x, **edges: filters.gaussian(x, _per_axis(x, (0, 1)), **edges),
        lambda x, **edges: ndimage.gaussian_filter(x, _per_axis(x, (0, 1)), **edges),
        1,
        19,
    ),
    *(
        Like(
            f"gaussian, order {order}",
            lambda x, order=order, **edges: filters.gaussian(x, 1.2, order=order, **edges),
            lambda x, order=order, **edges: ndimage.gaussian_filter(x, 1.2, order=order, **edges),
            3,
            22,
            (2,),
        )
        for order in itertools.product(range(4), repeat=2)
    ),
    Like(
        "gaussian_laplace",
        lambda x, **edges: filters.gaussian_laplace(x, 1.1, **edges),
        lambda x, mode: ndimage.gaussian_laplace(x, 1.1, mode=mode),
        9,
        33,
    ),
    Like(
        "gaussian_laplace, another sigma per axis",
        lambda x, **edges: filters.gaussian_laplace(x, _per_axis(x, (0.9, 1.4)), truncate=3, **edges),
        lambda x, mode: ndimage.gaussian_laplace(x, _per_axis(x, (0.9, 1.4)), mode=mode, truncate=3),
        9,
        33,
    ),
    Like(
        "gradient_magnitude",
        lambda x, **edges: filters.gradient_magnitude(x, 1.4, **edges),
        lambda x, mode: ndimage.gaussian_gradient_magnitude(x, 1.4, mode=mode),
        3,
        39,
    ),
    Like(
        "uniform",
        lambda x, **edges: filters.uniform(x, 5, **edges),
        lambda x, **edges: ndimage.uniform_filter(x, 5, **edges),
        # SciPy keeps a running sum, whose rounding adds up along the line.
        4,
        15,
    ),
    Like(
        "uniform, even sizes",
        lambda x, **edges: filters.uniform(x, _per_axis(x, (4, 2, 6)), **edges),
        lambda x, **edges: ndimage.uniform_filter(x, _per_axis(x, (4, 2, 6)), **edges),
        4,
        15,
    ),
    Like(
        "uniform, origins",
        lambda x, **edges: filters.uniform(x, 4, origin=_per_axis(x, (1, 2, -1)), **edges),
        lambda x, **edges: ndimage.uniform_filter(x, 4, origin=_per_axis(x, (-1, -2, 1)), **edges),
        4,
        15,
    ),
    *(
        Like(
            f"{name}, axis {axis}",
            lambda x, name=name, axis=axis, **edges: getattr(filters, name)(x, axis % x.ndim, **edges),
            lambda x, name=name, axis=axis, **edges: getattr(ndimage, name)(x, axis % x.ndim, **edges),
            32,
            9,
        )
        for name in ("sobel", "prewitt")
        for axis in (0, 1, -1)
    ),
    Like("laplace", filters.laplace, ndimage.laplace, 12, 7),
)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("case", LIKE, ids=str)
def test_a_filter_has_the_values_of_scipy(case, boundary):
    for shape in SHAPES:
        if len(shape) in case.ndims:
            x = draw(shape, "float64", f"{case} {boundary}")
            result = case.ours(x, boundary=boundary)
            assert_same_home(result, x)
            assert_close(result, case.theirs(x, mode=boundary), tolerance=case.tolerance(x), case=(case, shape))


@pytest.mark.parametrize("name", ["gaussian", "uniform", "laplace"])
def test_a_filter_has_the_values_of_scipy_beside_a_fill_value(name):
    x = draw((9, 11), "float64", name)
    (case,) = (case for case in LIKE if case.name == name)
    if name == "laplace":  # SciPy's has no weights to sum up to 1: what it does is one axis after another
        expected = sum(ndimage.correlate1d(x, [1, -2, 1], axis, mode="constant", cval=1.5) for axis in (0, 1))
    else:
        expected = case.theirs(x, mode="constant", cval=1.5)
    assert_close(case.ours(x, boundary="constant", cval=1.5), expected, tolerance=case.tolerance(x))


DEFINED = {
    "gaussian": (lambda x, **edges: filters.gaussian(x, (1.2, 0.8), order=(1, 2), **edges), [((1.2, 0.8), (1, 2))]),
    "gaussian_laplace": (
        lambda x, **edges: filters.gaussian_laplace(x, (1.2, 0.8), **edges),
        [((1.2, 0.8), (2, 0)), ((1.2, 0.8), (0, 2))],
    ),
}
EDGES = (
    {"boundary": "constant", "cval": 2.5},
    {"boundary": ("constant", "mirror"), "cval": -1.5},
    {"boundary": ("wrap", "nearest")},
    {"boundary": ("reflect", "constant"), "cval": np.nan},
)


@pytest.mark.parametrize("kind", ["sampled", "lattice"])
@pytest.mark.parametrize("edges", EDGES, ids=str)
@pytest.mark.parametrize("name", DEFINED)
def test_derivatives_are_convolutions_with_the_kernel_of_the_zoo(name, edges, kind):
    """Unlike SciPy's, beside a fill value too: it is part of the image, and not of what a pass has made of it."""
    x = draw((7, 40), "float64", name)
    ours, terms = DEFINED[name]
    weights = [kernels.gaussian(sigma, order=order, kind=kind) for sigma, order in terms]
    expected = sum(reference.convolve(x, kernel, **edges) for kernel in weights)
    scale = sum(np.abs(kernel).sum() for kernel in weights) * 3 * np.abs(x).max()
    result = ours(x, kind=kind, **edges)
    if np.isnan(edges.get("cval", 0)):
        # What meets a weight of 0 may or may not count.
        known = ~np.isnan(result)
        assert known.any()
        assert not known.all()
        result, expected = result[known], expected[known]
    assert_close(result, expected, tolerance=tolerance("float64", 40, scale))


def test_several_derivatives_are_the_single_ones():
    x = draw((7, 6, 9), "float64", "derivatives")
    options = {"axes": (2, 0, 1), "boundary": ("constant", "wrap", "mirror"), "cval": 1.5, "kind": "lattice"}
    sigma = (1.1, 0.6, 0.9)
    unit = np.eye(3, dtype=int)
    allowed = tolerance("float64", 60, 20 * np.abs(x).max())
    gradient = filters.gaussian_gradient(x, sigma, **options)
    hessian = filters.hessian(x, sigma, **options)
    assert gradient.shape == (3, 7, 6, 9)
    assert hessian.shape == (6, 7, 6, 9)
    for a in range(3):
        expected = filters.gaussian(x, sigma, order=unit[a].tolist(), **options)
        assert_close(gradient[a], expected, tolerance=allowed)
    for index, (a, b) in enumerate(itertools.combinations_with_replacement(range(3), 2)):
        expected = filters.gaussian(x, sigma, order=(unit[a] + unit[b]).tolist(), **options)
        assert_close(hessian[index], expected, tolerance=allowed, case=(a, b))


def test_a_difference_of_gaussians_is_that():
    x = draw((14, 15), "float64", "x")
    expected = ndimage.gaussian_filter(x, (1.0, 0.5)) - ndimage.gaussian_filter(x, (2.0, 1.0))
    result = filters.difference_of_gaussians(x, (1.0, 0.5), ratio=2)
    assert_close(result, expected, tolerance=tolerance("float64", 30, 2 * np.abs(x).max()))


def test_filters_have_the_values_of_scikit_image():
    skimage = pytest.importorskip("skimage")
    from skimage import feature
    from skimage import filters as theirs

    assert skimage.__version__
    x = draw((17, 19), "float64", "x") / 8
    allowed = tolerance("float64", 40, 64 * np.abs(x).max() ** 2)
    close = {"tolerance": allowed}
    sharp = theirs.unsharp_mask(x, radius=1.2, amount=0.7, preserve_range=True)
    assert_close(filters.unsharp_mask(x, 1.2, amount=0.7), sharp, **close)
    pair = theirs.difference_of_gaussians(x, 1.1, mode="nearest")
    assert_close(filters.difference_of_gaussians(x, 1.1, boundary="nearest"), pair, **close)
    for axis in (0, 1):
        # Their weights give 2 for a slope of 1.
        for name in ("scharr", "sobel", "prewitt"):
            ours = getattr(filters, name)(x, axis, scale="unit")
            assert_close(2 * ours, getattr(theirs, name)(x, axis=axis), **close, case=name)
    # They divide the length by the square root of the number of axes.
    steep = filters.gradient_magnitude(x, operator="scharr")
    assert_close(steep * 2 / np.sqrt(2), theirs.scharr(x), **close)
    assert_close(filters.roberts(x, 1, origin=1), theirs.roberts_pos_diag(x), **close)
    assert_close(filters.roberts(x, 0, origin=1), theirs.roberts_neg_diag(x), **close)
    cross = filters.gradient_magnitude(x, operator="roberts")
    assert_close(cross[1:, 1:], np.sqrt(2) * theirs.roberts(x)[:-1, :-1], **close)
    tensor = feature.structure_tensor(x, sigma=1.5)
    ours = {"operator": "sobel", "scale": "integer", "boundary": "constant"}
    assert_close(filters.structure_tensor(x, 1.5, **ours), np.stack(tensor), **close)
    values = feature.structure_tensor_eigenvalues(tensor)
    assert_close(filters.structure_tensor_eigenvalues(x, 1.5, **ours), values, **close)
    hessian = filters.hessian(x, 1.5)
    assert_close(filters.hessian_eigenvalues(x, 1.5), feature.hessian_matrix_eigvals(list(hessian)), **close)


def test_eigenvalues_in_three_dimensions_have_the_values_of_scikit_image():
    pytest.importorskip("skimage")
    from skimage import feature

    x = draw((8, 9, 10), "float64", "x")
    tensor = feature.structure_tensor(x, sigma=1.0)
    ours = {"operator": "sobel", "scale": "integer", "boundary": "constant"}
    allowed = tolerance("float64", 100, 32**2 * np.abs(x).max() ** 2)
    assert_close(filters.structure_tensor(x, 1.0, **ours), np.stack(tensor), tolerance=allowed)
    values = feature.structure_tensor_eigenvalues(tensor)
    assert_close(filters.structure_tensor_eigenvalues(x, 1.0, **ours), values, tolerance=allowed)
