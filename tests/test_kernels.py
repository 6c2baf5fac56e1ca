"""Every kernel of the zoo does to an image what SciPy, or a formula worked out another way, does to it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import gpuconv
from gpuconv import kernels
from tests.assertions import assert_close, assert_same_home

WRAP = {"mode": "wrap"}


@dataclass(frozen=True)
class Case:
    """A kernel, and what filtering an image with it on a periodic domain must give: ``expected(image)``."""

    name: str
    expected: Callable[[np.ndarray], np.ndarray]
    parameters: dict[str, Any] = field(default_factory=dict)
    ndim: int = 2

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.parameters.items())})"


def slope(x, axis, smoothing):
    for other in range(x.ndim):
        x = ndimage.correlate1d(x, [-1, 0, 1] if other == axis % x.ndim else smoothing, axis=other, **WRAP)
    return x


def all_neighbours(x):
    return 3**x.ndim * (ndimage.uniform_filter(x, 3, **WRAP) - x)


def smooth(x, sigma, **options):
    return ndimage.gaussian_filter(x, sigma, **WRAP, **options)


def lattice(x, *variances):
    """The heat equation on a periodic lattice, solved in the Fourier domain."""
    angles = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(size) for size in x.shape), indexing="ij")
    decay = sum(variance * (np.cos(angle) - 1) for variance, angle in zip(variances, angles, strict=True))
    return np.fft.ifftn(np.fft.fftn(x) * np.exp(decay)).real


def mean_within(x, radius):
    reach = int(radius)
    offsets = itertools.product(range(-reach, reach + 1), repeat=x.ndim)
    near = [offset for offset in offsets if sum(step * step for step in offset) <= radius**2]
    return sum(np.roll(x, offset, tuple(range(x.ndim))) for offset in near) / len(near)


def moved(x, length, angle):
    """The mean of the image moved step by step along the line, with linear interpolation."""
    steps = np.arange(length) - (length - 1) / 2
    directions = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
    return np.mean([ndimage.shift(x, step * directions, order=1, mode="grid-wrap") for step in steps], axis=0)


def emboss(x, depth):
    return x + depth * sum(ndimage.prewitt(x, axis, **WRAP) for axis in range(x.ndim))


def gabor(x, wavelength, axis, sigma, truncate, phase=0.0, aspect=1.0):
    """Shift the wave to frequency zero, smooth, shift it back."""
    positions = np.arange(x.shape[axis]).reshape((-1, 1) if axis == 0 else (1, -1))
    wave = np.exp(2j * np.pi * positions / wavelength)
    sigmas = [sigma if own == axis else sigma / aspect for own in range(2)]
    return wave * np.exp(1j * np.deg2rad(phase)) * smooth(x / wave, sigmas, truncate=truncate)


def octave(wavelength):
    """Standard deviation of a Gabor kernel whose answer falls to half over one octave of wavelengths."""
    return wavelength / np.pi * np.sqrt(np.log(2) / 2) * 3


CASES = [
    Case("identity", lambda x: x),
    Case("identity", lambda x: x, {"size": (1, 5)}),
    Case("identity", lambda x: x, {"ndim": 3}, ndim=3),
    Case("box", lambda x: ndimage.uniform_filter(x, 3, **WRAP)),
    Case("box", lambda x: ndimage.uniform_filter(x, 4, **WRAP), {"size": 4}),
    Case("box", lambda x: ndimage.uniform_filter(x, (2, 5), **WRAP), {"size": (2, 5)}),
    Case("box", lambda x: ndimage.uniform_filter(x, 3, **WRAP), {"ndim": 3}, ndim=3),
    Case("box", lambda x: ndimage.uniform_filter(x, 7, **WRAP), {"size": 7, "ndim": 1}, ndim=1),
    Case("gaussian", lambda x: smooth(x, 1.0)),
    Case("gaussian", lambda x: smooth(x, (2.0, 0.7)), {"sigma": (2.0, 0.7)}),
    Case("gaussian", lambda x: smooth(x, (2.0, 0.0)), {"sigma": np.array([2.0, 0.0])}),
    Case("gaussian", lambda x: smooth(x, 1.5, order=1), {"sigma": 1.5, "order": 1}),
    Case("gaussian", lambda x: smooth(x, 1.5, order=(0, 2)), {"sigma": 1.5, "order": (0, 2)}),
    Case("gaussian", lambda x: smooth(x, (1, 2, 1), order=(3, 1, 0)), {"sigma": (1, 2, 1), "order": (3, 1, 0)}, ndim=3),
    Case("gaussian", lambda x: smooth(x, 1.2, truncate=2.3), {"sigma": 1.2, "truncate": 2.3}),
    Case("gaussian", lambda x: smooth(x, 1.2, radius=(2, 3)), {"sigma": 1.2, "radius": (2, 3)}),
    Case("gaussian", lambda x: smooth(x, 1.2), {"sigma": 1.2, "ndim": 1}, ndim=1),
    Case("gaussian", lambda x: smooth(x, 1.0), {"dtype": np.float32}),
    Case("gaussian", lambda x: lattice(x, 1.44, 0.25), {"sigma": (1.2, 0.5), "kind": "lattice"}),
    Case("disk", lambda x: mean_within(x, 3)),
    Case("disk", lambda x: mean_within(x, 2.5), {"radius": 2.5}),
    Case("disk", lambda x: mean_within(x, 2), {"radius": 2, "ndim": 3}, ndim=3),
    Case("motion", lambda x: ndimage.uniform_filter1d(x, 9, **WRAP)),
    Case("motion", lambda x: ndimage.uniform_filter1d(x, 5, axis=0, **WRAP), {"length": 5, "angle": 90}),
    Case("motion", lambda x: ndimage.uniform_filter1d(x, 5, **WRAP), {"length": 5, "angle": 180}),
    Case("motion", lambda x: moved(x, 7, 30), {"length": 7, "angle": 30}),
    Case("motion", lambda x: moved(x, 7, -75.5), {"length": 7, "angle": -75.5}),
    *(Case("sobel", lambda x, axis=axis: ndimage.sobel(x, axis, **WRAP), {"axis": axis}) for axis in (0, 1, -2)),
    Case("sobel", lambda x: ndimage.sobel(x, **WRAP)),
    Case("sobel", lambda x: ndimage.sobel(x, 1, **WRAP), {"axis": 1, "ndim": 3}, ndim=3),
    Case("sobel", lambda x: ndimage.sobel(x, **WRAP), {"ndim": 1}, ndim=1),
    Case("sobel", lambda x: ndimage.sobel(x, 0, **WRAP) / 32, {"axis": 0, "ndim": 3, "scale": "unit"}, ndim=3),
    *(Case("prewitt", lambda x, axis=axis: ndimage.prewitt(x, axis, **WRAP), {"axis": axis}) for axis in (0, 1)),
    Case("prewitt", lambda x: ndimage.prewitt(x, 2, **WRAP), {"axis": 2, "ndim": 3}, ndim=3),
    Case("prewitt", lambda x: ndimage.prewitt(x, **WRAP) / 6, {"scale": "unit"}),
    *(Case("scharr", lambda x, axis=axis: slope(x, axis, [3, 10, 3]), {"axis": axis}) for axis in (0, 1)),
    Case("scharr", lambda x: slope(x, 1, [3, 10, 3]), {"axis": 1, "ndim": 3}, ndim=3),
    Case("scharr", lambda x: slope(x, -1, [3, 10, 3]) / 32, {"scale": "unit"}),
    Case("roberts", lambda x: x - np.roll(x, (1, 1), (0, 1))),
    Case("roberts", lambda x: np.roll(x, 1, 1) - np.roll(x, 1, 0), {"axis": 0}),
    Case("roberts", lambda x: np.roll(x, 1, 1) - np.roll(x, 1, 0), {"axis": -2, "scale": "unit"}),
    Case("laplacian", lambda x: ndimage.laplace(x, **WRAP)),
    Case("laplacian", lambda x: ndimage.laplace(x, **WRAP), {"ndim": 3, "neighbours": 6}, ndim=3),
    Case("laplacian", lambda x: ndimage.laplace(x, **WRAP), {"ndim": 1, "neighbours": 2}, ndim=1),
    Case("laplacian", lambda x: all_neighbours(x), {"neighbours": 8}),
    Case("laplacian", lambda x: all_neighbours(x), {"neighbours": "all", "ndim": 3}, ndim=3),
    Case("laplacian", lambda x: all_neighbours(x) / 3, {"neighbours": "all", "scale": "unit"}),
    Case("laplacian", lambda x: ndimage.laplace(x, **WRAP), {"scale": "unit"}),
    Case("edge", lambda x: -all_neighbours(x)),
    Case("edge", lambda x: -all_neighbours(x), {"ndim": 3}, ndim=3),
    Case("laplacian_of_gaussian", lambda x: ndimage.gaussian_laplace(x, 1.0, **WRAP)),
    Case("laplacian_of_gaussian", lambda x: ndimage.gaussian_laplace(x, (1, 2), **WRAP), {"sigma": (1, 2)}),
    Case(
        "laplacian_of_gaussian",
        lambda x: ndimage.gaussian_laplace(x, 1.0, truncate=3.0, **WRAP),
        {"ndim": 3, "truncate": 3.0},
        ndim=3,
    ),
    Case(
        "laplacian_of_gaussian", lambda x: ndimage.gaussian_laplace(x, 1.0, radius=2, **WRAP), {"radius": (2, 2)}
    ),
    Case(
        "laplacian_of_gaussian",
        lambda x: ndimage.laplace(lattice(x, 1.44, 4.0), **WRAP),
        {"sigma": (1.2, 2), "kind": "lattice"},
    ),
    Case("difference_of_gaussians", lambda x: smooth(x, 1.0) - smooth(x, 1.6)),
    Case("difference_of_gaussians", lambda x: smooth(x, (1, 2)) - smooth(x, (2, 4)), {"sigma": (1, 2), "ratio": 2}),
    Case(
        "difference_of_gaussians",
        lambda x: smooth(x, 1.0, truncate=3.0) - smooth(x, 1.6, truncate=3.0),
        {"ndim": 3, "truncate": 3.0},
        ndim=3,
    ),
    Case("difference_of_gaussians", lambda x: smooth(x, 1.0, radius=2) - smooth(x, 1.6, radius=2), {"radius": 2}),
    Case("difference_of_gaussians", lambda x: lattice(x, 1, 1) - lattice(x, 2.56, 2.56), {"kind": "lattice"}),
    Case("gabor", lambda x: gabor(x, 8, 1, octave(8), 3.0).real),
    Case(
        "gabor",
        lambda x: gabor(x, 4, 0, 1.5, 2.0).imag,
        {"wavelength": 4, "angle": 90, "sigma": 1.5, "truncate": 2, "part": "imaginary"},
    ),
    Case(
        "gabor",
        lambda x: gabor(x, 4, 1, 1.5, 3.0, 30, 0.5),
        {"wavelength": 4, "phase": 30, "sigma": 1.5, "aspect": 0.5, "part": "complex"},
    ),
    Case("sharpen", lambda x: x - ndimage.laplace(x, **WRAP)),
    Case("sharpen", lambda x: x - 0.3 * ndimage.laplace(x, **WRAP), {"amount": 0.3, "ndim": 3}, ndim=3),
    Case("sharpen", lambda x: x - 2 * all_neighbours(x), {"amount": 2, "neighbours": "all"}),
    Case("unsharp", lambda x: 2 * x - smooth(x, 1.0)),
    Case("unsharp", lambda x: x + 0.7 * (x - smooth(x, (1, 2))), {"sigma": (1, 2), "amount": 0.7}),
    Case("unsharp", lambda x: 2 * x - smooth(x, 1.0, truncate=3.0), {"ndim": 3, "truncate": 3.0}, ndim=3),
    Case("unsharp", lambda x: 2 * x - smooth(x, 1.0, radius=2), {"radius": 2}),
    Case("unsharp", lambda x: 2 * x - lattice(x, 1, 1), {"kind": "lattice"}),
    Case("emboss", lambda x: emboss(x, 1)),
    Case("emboss", lambda x: emboss(x, 0.5), {"depth": 0.5}),
    Case("emboss", lambda x: emboss(x, -2), {"depth": -2, "ndim": 3}, ndim=3),
]  # fmt: skip


def image(rng, ndim):
    # Sides hold whole wavelengths of the Gabor kernels.
    return rng.standard_normal({1: (40,), 2: (24, 16), 3: (14, 12, 11)}[ndim])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_kernel_filters_as_its_oracle_says(rng, case):
    x = image(rng, case.ndim)
    kernel = kernels.get(case.name, **case.parameters)
    result = gpuconv.convolve(x, kernel, boundary="wrap", method="direct")
    size = np.abs(kernel).sum() * np.abs(x).max()
    precision = "float32" if kernel.dtype == np.float32 else "float64"
    assert_close(result, case.expected(x), taps=kernel.size, scale=size, dtype=precision, case=case)


def test_every_kernel_and_each_of_its_parameters_has_a_case():
    assert {case.name for case in CASES} == set(kernels.names())
    for name in kernels.names():
        for parameter, told in inspect.signature(getattr(kernels, name)).parameters.items():
            given = [case.parameters[parameter] for case in CASES if case.name == name and parameter in case.parameters]
            assert any(np.any(value != told.default) for value in given), f"no case varies {parameter} of {name}"


def test_names_are_those_of_the_functions_in_all():
    others = {"gaussian_taps", "normalize", "get", "names", "describe"}
    assert set(kernels.names()) == set(kernels.__all__) - others
    assert all(getattr(kernels, name).__name__ == name for name in kernels.names())


@pytest.mark.parametrize("name", ["sobel", "roberts", "emboss", "gabor"])
def test_a_kernel_turned_over_would_be_noticed(rng, name, monkeypatch):
    """The comparison with the oracles can fail: a kernel that is laid on unturned does."""
    turned = {key: (lambda get=get, **given: np.flip(get(**given))) for key, get in kernels._ZOO.items()}
    for key, function in turned.items():
        function.__signature__ = inspect.signature(getattr(kernels, key))
    monkeypatch.setattr(kernels, "_ZOO", turned)
    asymmetric = [case for case in CASES if case.name == name and case.parameters.get("part") != "real"]
    with pytest.raises(AssertionError, match="values differ"):
        test_a_kernel_filters_as_its_oracle_says(rng, asymmetric[-1])


SLOPES = ("sobel", "prewitt", "scharr")


def ramp(ndim, axis):
    return np.broadcast_to(np.arange(5.0).reshape([-1 if own == axis else 1 for own in range(ndim)]), (5,) * ndim)


def inside(x, kernel):
    return gpuconv.convolve(x, kernel, mode="valid")


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
@pytest.mark.parametrize("name", SLOPES)
def test_a_slope_is_that_of_a_ramp_along_its_axis_and_zero_along_others(name, ndim):
    for axis, direction in itertools.product(range(ndim), range(ndim)):
        whole = inside(ramp(ndim, direction), kernels.get(name, axis=axis, ndim=ndim))
        unit = inside(ramp(ndim, direction), kernels.get(name, axis=axis, ndim=ndim, scale="unit"))
        assert ((whole > 0) if axis == direction else (whole == 0)).all()
        assert_close(unit, np.full((3,) * ndim, float(axis == direction)), taps=3**ndim, scale=4.0)


@pytest.mark.parametrize("scale", ["integer", "unit"])
def test_each_diagonal_of_roberts_is_the_slope_of_a_ramp_along_its_axis(scale):
    for axis in range(2):
        assert (inside(ramp(2, axis), kernels.roberts(axis, scale=scale)) == 1).all()


@pytest.mark.parametrize("name", [*SLOPES, "roberts"])
def test_a_slope_turned_over_is_its_negative(name):
    kernel = kernels.get(name, axis=0)
    assert (np.flip(kernel) == -kernel).all()


SYMMETRIC = ("identity", "box", "gaussian", "disk", "laplacian", "edge", "laplacian_of_gaussian")
SYMMETRIC += ("difference_of_gaussians", "sharpen", "unsharp")


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_kernel_without_direction_is_the_same_along_and_across_every_axis(name, ndim):
    kernel = kernels.get(name, ndim=ndim)
    assert kernel.ndim == ndim
    for axis in range(ndim):
        assert_close(np.flip(kernel, axis), kernel)
        assert_close(np.moveaxis(kernel, axis, 0), kernel)


KEEPS = {"identity", "box", "gaussian", "disk", "motion", "sharpen", "unsharp", "emboss"}
REMOVES = {*SLOPES, "roberts", "laplacian", "edge", "difference_of_gaussians"}
# The sums of these are neither 0 nor 1, because they are cut off: two tests below say what they are.
CUT_OFF = {"laplacian_of_gaussian", "gabor"}


def test_each_kernel_keeps_brightness_or_removes_it_or_is_cut_off():
    assert set(kernels.names()) == KEEPS | REMOVES | CUT_OFF


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in CUT_OFF and "order" not in case.parameters], ids=str
)
def test_a_kernel_sums_to_one_or_zero(case):
    kernel = kernels.get(case.name, **case.parameters)
    precision = "float32" if kernel.dtype == np.float32 else "float64"
    size = np.abs(kernel.astype(np.float64)).sum()
    expected = float(case.name in KEEPS)
    assert_close(kernel.sum(dtype=np.float64), expected, taps=kernel.size, scale=size, dtype=precision)


@pytest.mark.parametrize("name", kernels.names())
@pytest.mark.parametrize("ndim", [2, 3])
def test_whole_weights_are_small_integers_and_others_doubles(name, ndim):
    parameters = {"ndim": ndim} if "ndim" in inspect.signature(getattr(kernels, name)).parameters else {}
    kernel = kernels.get(name, **parameters)
    whole = bool((kernel == np.round(kernel)).all())
    assert kernel.dtype == (np.int16 if whole else np.float64)


def test_integer_kernels_filter_8_bit_images_exactly_in_32_bits():
    photo = np.full((5, 5), 255, dtype=np.uint8)
    result = gpuconv.convolve(photo, kernels.scharr(axis=0))
    assert result.dtype == np.int32
    assert result[0].tolist() == [255 * 13, 255 * 16, 255 * 16, 255 * 16, 255 * 13]


def test_weights_beyond_16_bits_are_int64():
    kernel = kernels.scharr(axis=0, ndim=6)
    assert kernel.dtype == np.int64
    assert kernel[0, 1, 1, 1, 1, 1] == 10**5
    assert kernels.sharpen(amount=20000).tolist()[1] == [-20000, 80001, -20000]


def test_prewitt_is_the_least_squares_plane(rng):
    pixels = rng.standard_normal((3, 3))
    places = np.stack([np.ones(9), *np.indices((3, 3)).reshape(2, 9)], axis=1)
    plane = np.linalg.lstsq(places, pixels.ravel(), rcond=None)[0]
    slopes = [inside(pixels, kernels.prewitt(axis, scale="unit")).item() for axis in range(2)]
    assert_close(np.array(slopes), plane[1:], taps=9, scale=1.0)


def test_scharr_sees_directions_better_than_sobel_and_sobel_than_prewitt():
    angles = np.deg2rad(np.arange(1, 90))
    waves = 0.7 * np.stack([np.sin(angles), np.cos(angles)])

    def worst(name):
        places = np.arange(-1, 2)
        phases = np.exp(-1j * (waves[0, :, None, None] * places[:, None] + waves[1, :, None, None] * places))
        answers = [(phases * kernels.get(name, axis=axis)).sum(axis=(1, 2)).imag for axis in range(2)]
        return np.abs(np.arctan2(*answers) - angles).max()

    assert worst("scharr") < worst("sobel") / 3 < worst("prewitt") / 6


@pytest.mark.parametrize("neighbours", ["faces", "all"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_laplacian_of_a_parabola_is_exact(neighbours, ndim):
    parabolas = sum((axis + 1) / 2 * ramp(ndim, axis) ** 2 for axis in range(ndim))
    result = inside(parabolas, kernels.laplacian(ndim=ndim, neighbours=neighbours, scale="unit"))
    assert_close(result, np.full((3,) * ndim, ndim * (ndim + 1) / 2), scale=100.0)


def test_the_lattice_laplacian_of_gaussian_sums_to_zero_and_the_sampled_one_nearly():
    kernel = kernels.laplacian_of_gaussian(1.3, kind="lattice")
    assert_close(kernel.sum(), 0.0, taps=kernel.size, scale=np.abs(kernel).sum())
    assert 1e-6 < abs(kernels.laplacian_of_gaussian(1.3).sum()) < 1e-3


def test_a_difference_of_near_gaussians_is_the_laplacian_of_gaussian():
    sigma, ratio = 3.0, 1.0001
    difference = kernels.difference_of_gaussians(sigma, ratio=ratio, radius=20)
    limit = -(ratio - 1) * sigma**2 * kernels.laplacian_of_gaussian(sigma, radius=20)
    assert_close(difference, limit, tolerance=3e-4 * np.abs(limit).max())


@pytest.mark.parametrize("cycles", [(0, 3), (2, 0), (2, 3), (-3, 1)])
def test_a_complex_gabor_kernel_returns_its_own_wave_and_stops_the_opposite_one(cycles):
    rows, columns = np.indices((24, 32))
    frequency = np.array([cycles[0] / 24, cycles[1] / 32])
    angle = np.rad2deg(np.arctan2(*frequency))
    kernel = kernels.gabor(1 / np.hypot(*frequency), angle=angle, aspect=0.8, part="complex")
    wave = np.exp(2j * np.pi * (frequency[0] * rows + frequency[1] * columns))
    assert_close(gpuconv.convolve(wave, kernel, boundary="wrap", method="direct"), wave, taps=kernel.size, scale=1.0)
    assert np.abs(gpuconv.convolve(wave.conj(), kernel, boundary="wrap", method="direct")).max() < 1e-3


def test_the_sum_of_a_gabor_kernel_is_what_its_docstring_says():
    kernel = kernels.gabor(5, sigma=1.5, angle=20, phase=40, truncate=6)
    expected = np.cos(np.deg2rad(40)) * np.exp(-2 * (np.pi * 1.5 / 5) ** 2)
    assert_close(kernel.sum(), expected, tolerance=1e-6)


@pytest.mark.parametrize("angle", [0, 12.5, 45, 90, 135, 180, 270, 360, -30])
def test_a_motion_kernel_is_one_line_through_the_centre(angle):
    kernel = kernels.motion(11, angle=angle)
    assert kernel.shape == tuple(
        2 * int(np.ceil(np.round(5 * abs(part), 9))) + 1
        for part in (np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle)))
    )
    assert_close(kernel, np.flip(kernel), scale=1.0)
    m, n = np.indices(kernel.shape) - np.reshape(kernel.shape, (2, 1, 1)) // 2
    off_the_line = np.abs(n * np.sin(np.deg2rad(angle)) - m * np.cos(np.deg2rad(angle)))
    assert off_the_line[kernel > 1e-12].max() < np.sqrt(2)


def test_emboss_brightens_what_rises_towards_the_last_corner():
    rising = ramp(2, 0) + ramp(2, 1)
    assert (inside(rising, kernels.emboss()) > rising[1:-1, 1:-1]).all()


@pytest.mark.parametrize("name", ["sobel", "gaussian"])
def test_a_kernel_goes_with_any_library(xp, name):
    x = xp.asarray(np.arange(30.0, dtype=np.float32).reshape(5, 6))
    result = gpuconv.convolve(x, kernels.get(name), boundary="reflect")
    assert_same_home(result, x)
    expected = ndimage.convolve(np.arange(30.0).reshape(5, 6), kernels.get(name).astype(float))
    assert_close(result, expected, taps=81, scale=60.0)
