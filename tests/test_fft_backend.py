"""`gpuconv.fft_backend` under scipy.fft: every library's arrays, SciPy's numbers, and what goes on to SciPy."""

from __future__ import annotations

import importlib
import types

import numpy as np
import pytest
import scipy.fft
import scipy.signal

import gpuconv
from gpuconv.backends import cupy_plans
from tests.assertions import assert_close, assert_same_home
from tests.libraries import library_of, make, name_of, open_library, to_numpy

LINES = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
PLANES = [f"{name}2" for name in LINES]
SPACES = [f"{name}n" for name in LINES]
COSINES = ["dct", "idct", "dst", "idst"]
SHAPE = (5, 6)


@pytest.fixture
def backend():
    with scipy.fft.set_backend(gpuconv.fft_backend):
        yield


def samples(rng, name, dtype="float64"):
    """Complex samples where the transform takes them."""
    x = rng.standard_normal(SHAPE)
    if name.startswith(("rfft", "ihfft", *COSINES)):
        return x.astype(dtype)
    wide = "complex64" if dtype == "float32" else "complex128"
    return (x + 1j * rng.standard_normal(SHAPE)).astype(wide)


def by_scipy(name, x, *args, **kwargs):
    """What SciPy gives for the same samples in double precision."""
    wide = np.asarray(x, dtype=complex if np.iscomplexobj(x) else float)
    with scipy.fft.skip_backend(gpuconv.fft_backend):
        return getattr(scipy.fft, name)(wide, *args, **kwargs)


# The transform on all samples, on fewer and on more.
NORMS = [(None, None), ("ortho", 4), ("forward", 9)]


@pytest.mark.parametrize("name", [*LINES, *PLANES, *SPACES])
def test_fourier_transforms_are_scipys_numbers_at_home(xp, backend, rng, name):
    values = samples(rng, name)
    x = make(xp, values)
    for norm, size in NORMS:
        arguments = {"n": size, "axis": 0} if name in LINES else {"s": None if size is None else (size, 7)}
        y = getattr(scipy.fft, name)(x, norm=norm, **arguments)
        expected = by_scipy(name, values, norm=norm, **arguments)
        assert_same_home(y, x, dtype=expected.dtype.name)
        assert_close(y, expected, taps=63, scale=3.0 * np.abs(expected).max(), case=(name, norm, size))


@pytest.mark.parametrize("type", [2, 3])
@pytest.mark.parametrize("name", COSINES)
def test_cosine_and_sine_transforms_are_scipys_numbers_at_home(xp, backend, rng, name, type):
    values = rng.standard_normal(SHAPE)
    x = make(xp, values)
    for norm, size in NORMS:
        y = getattr(scipy.fft, name)(x, type, size, axis=0, norm=norm)
        assert_same_home(y, x)
        expected = by_scipy(name, values, type, size, axis=0, norm=norm)
        assert_close(y, expected, taps=9, scale=9.0 * np.abs(expected).max(), case=(norm, size))
    y = getattr(scipy.fft, f"{name}n")(x, type)
    expected = by_scipy(f"{name}n", values, type)
    assert_close(y, expected, taps=30, scale=30.0 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("dtype", "real", "result"),
    [
        ("float32", "float32", "complex64"),
        ("float16", "float32", "complex64"),
        ("bfloat16", "float32", "complex64"),
        ("uint8", "float64", "complex128"),
        ("bool", "float64", "complex128"),
    ],
)
def test_precision_is_kept_and_half_precision_is_summed_in_single(xp, backend, rng, dtype, real, result):
    if not hasattr(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    values = rng.integers(0, 2, SHAPE)
    x = make(xp, values > 0) if dtype == "bool" else make(xp, values, dtype=dtype)
    assert_same_home(scipy.fft.fft(x), x, dtype=result)
    assert_same_home(scipy.fft.dct(x), x, dtype=real)
    y = scipy.fft.rfft2(x)
    assert_same_home(y, x, dtype=result)
    assert_close(y, by_scipy("rfft2", values), taps=30, scale=30.0)


def test_axes_and_lengths_as_scipy_reads_them(xp, backend, rng):
    values = rng.standard_normal((2, 3, 4))
    x = make(xp, values)
    for arguments in ({"axes": (2, 0)}, {"s": (3, 5)}, {"s": (-1, 5), "axes": (0, 1)}, {"axes": (-1,)}, {"axes": ()}):
        y = scipy.fft.fftn(x, **arguments)
        assert_close(y, by_scipy("fftn", values, **arguments), taps=24, scale=24.0, case=arguments)
    for samples, arguments in ((4, {"axes": (2, 0)}), (3, {"s": (-1, -1)}), (3, {"s": (5, -1)}), (1, {})):
        half = values[..., :samples]
        y = scipy.fft.irfftn(make(xp, half), **arguments)
        assert_close(y, by_scipy("irfftn", half, **arguments), taps=24, case=arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: scipy.fft.fft(x, norm="none"), ValueError, "Invalid norm value.*: got norm='none'"),
        (lambda x: scipy.fft.fft(x, 0), ValueError, "invalid number of data points.*: the lengths are"),
        (lambda x: scipy.fft.fft(x, axis=2), ValueError, r"axes must lie in \[-2, 2\)"),
        (lambda x: scipy.fft.fftn(x, (3, 4), (0,)), ValueError, "have to be of the same length"),
        (lambda x: scipy.fft.rfftn(x, axes=()), ValueError, "at least one axis must be transformed"),
        (lambda x: scipy.fft.rfft(scipy.fft.fft(x)), TypeError, "x must be a real sequence for rfft"),
    ],
)
def test_wrong_arguments_are_refused(backend, call, error, message):
    with pytest.raises(error, match=message):
        call(make(open_library("array_api_strict"), np.ones((3, 4))))


def test_numpy_arrays_keep_their_precision_and_are_shared_out_among_threads(monkeypatch, backend, rng):
    used = []
    pocketfft = importlib.import_module("scipy.fft._pocketfft.helper")
    original = pocketfft._workers
    for module in ("basic", "realtransforms"):
        monkeypatch.setattr(
            importlib.import_module(f"scipy.fft._pocketfft.{module}"),
            "_workers",
            lambda workers: used.append((workers, pocketfft.get_workers())) or original(workers),
        )
    large, small = np.ones((256, 256), np.float32), np.ones((4, 4), np.float32)
    assert scipy.fft.fft2(large).dtype == np.complex64
    assert scipy.fft.dctn(large).dtype == np.float32
    scipy.fft.fft2(small)
    scipy.fft.fft2(large, workers=1)
    scipy.fft.fft2(large, None, (-2, -1), None, False, 2)
    with scipy.fft.set_workers(2):
        scipy.fft.fft2(large)
    everyone = importlib.import_module("os").cpu_count()
    assert used == [(None, everyone), (None, everyone), (None, 1), (1, 1), (2, 1), (None, 2)]
    assert scipy.fft.get_workers() == 1


def test_scipy_signal_gives_the_same_numbers(backend, rng):
    x, taps = rng.standard_normal(300), rng.standard_normal(40)
    with scipy.fft.skip_backend(gpuconv.fft_backend):
        expected = scipy.signal.fftconvolve(x, taps), scipy.signal.hilbert(x), scipy.signal.resample(x, 77)
    assert_close(scipy.signal.fftconvolve(x, taps), expected[0], taps=300)
    assert_close(scipy.signal.hilbert(x), expected[1], taps=300)
    assert_close(scipy.signal.resample(x, 77), expected[2], taps=300)


def test_scikit_image_restoration_gives_the_same_numbers(backend, rng):
    restoration = pytest.importorskip("skimage.restoration", reason="scikit-image is not installed")
    image, psf = rng.random((24, 30)), np.full((3, 3), 1 / 9)

    def restored():
        return (
            restoration.wiener(image, psf, 0.1),
            restoration.richardson_lucy(image, psf, num_iter=3),
            restoration.unsupervised_wiener(image, psf, rng=0)[0],
        )

    with scipy.fft.skip_backend(gpuconv.fft_backend):
        expected = restored()
    # Values are of order one; the filters divide by spectra down to a tenth.
    for actual, wanted in zip(restored(), expected, strict=True):
        assert_close(actual, wanted, tolerance=1e-11)


def test_gradients_and_jit_pass_through(backend):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    xp = open_library("jax")
    x = make(xp, np.arange(1.0, 7.0))

    def energy(x):
        return xp.sum(xp.abs(scipy.fft.rfft(x, norm="ortho")[1:-1]) ** 2)

    gradient = jax.jit(jax.grad(energy))(x)
    steps = [(energy(x.at[i].add(1e-4)) - energy(x.at[i].add(-1e-4))) / 2e-4 for i in range(6)]
    assert_close(gradient, np.array(steps), tolerance=1e-7)


def test_torch_gradients_pass_through(backend):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.arange(1.0, 7.0, dtype=torch.float64, requires_grad=True)
    (scipy.fft.dct(x, norm="ortho") ** 2).sum().backward()
    # The transform is orthogonal: the energy is that of the samples.
    assert_close(x.grad, 2.0 * np.arange(1.0, 7.0), taps=6)


def test_dask_stays_lazy_and_takes_any_chunks(backend, rng):
    dask = pytest.importorskip("dask.array", reason="dask is not installed")

    def fail(block):
        raise AssertionError("computed")

    x = make(open_library("dask"), rng.standard_normal((6, 8)), chunks=((2, 4), (3, 5)))
    y = scipy.fft.rfftn(x, norm="ortho")
    assert isinstance(y, dask.Array)
    assert y.shape == (6, 5)
    assert_close(y, by_scipy("rfftn", to_numpy(x), norm="ortho"), taps=48)
    scipy.fft.fft(x.map_blocks(fail, dtype=x.dtype, meta=x._meta))


def test_what_is_not_ours_goes_on_to_scipy(backend):
    assert scipy.fft.fht(np.ones(4), 0.1, 0.5).shape == (4,)
    assert scipy.fft.fft(np.ma.masked_array([1.0, 2.0])).tolist() == [3.0, -1.0]
    assert scipy.fft.fft([1.0, 2.0]).tolist() == [3.0, -1.0]
    longdouble = np.ones(4, np.longdouble)
    assert scipy.fft.fft(longdouble).dtype == np.clongdouble


def test_what_of_other_libraries_is_not_ours_goes_on_to_scipy(backend):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.ones(4)
    for transformed in (scipy.fft.dct(tensor, type=1), scipy.fft.dct(tensor, norm="ortho", orthogonalize=False)):
        assert isinstance(transformed, np.ndarray)
    with pytest.raises(NotImplementedError, match="precomputed plan"):
        scipy.fft.fft(tensor, plan=object())


@pytest.mark.parametrize("setting", [{"only": True}, {"coerce": True}])
def test_it_may_be_the_only_backend_or_the_global_one(setting):
    with scipy.fft.set_backend(gpuconv.fft_backend, **setting):
        assert scipy.fft.fft(np.ones(2)).tolist() == [2.0, 0.0]
    scipy.fft.set_global_backend(gpuconv.fft_backend, **setting)
    try:
        x = make(open_library("array_api_strict"), np.ones(2))
        assert library_of(scipy.fft.fft(x)) == "array_api_strict"
    finally:
        scipy.fft.set_global_backend("scipy")


# The cache of plans. What makes the plans is a stand-in here; the `xp` tests above run on CuPy where there is a GPU.


def plan_of(size):
    return types.SimpleNamespace(work_area=types.SimpleNamespace(mem=types.SimpleNamespace(size=size)))


def test_plans_are_kept_by_bytes_the_oldest_forgotten_first():
    cache = cupy_plans.PlanCache(100)
    made = []

    def get(key, size):
        return cache.get(key, lambda: made.append(key) or size, int)

    for key, size in (("a", 40), ("b", 40), ("a", 40), ("c", 40), ("a", 40), ("b", 40), ("large", 101), ("a", 40)):
        assert get(key, size) == size
    assert made == ["a", "b", "c", "b", "large", "a"]
    assert (len(cache), cache.size) == (1, 40)
    cache.limit = 39
    assert (len(cache), cache.size) == (0, 0)
    get("d", 10)
    assert repr(cache) == "<1 cuFFT plans of 0.0 MiB, limit 0.0 MiB>"
    cache.clear()
    assert len(cache) == 0


@pytest.fixture
def cupyx(monkeypatch):
    """A stand-in for CuPy that notes which plans are asked for and which transforms run with which plan."""
    noted = types.SimpleNamespace(made=[], run=[], stream=1)

    def get_fft_plan(x, shape, axes, value_type):
        if max(axes) - min(axes) >= len(axes):
            raise ValueError("An N-D plan could not be created")
        noted.made.append((x.shape, shape, axes, value_type))
        return plan_of(1024)

    def function(name):
        return lambda x, **options: noted.run.append((name, options)) or x

    names = (*LINES, *SPACES, *COSINES)
    fft = types.SimpleNamespace(get_fft_plan=get_fft_plan, **{name: function(name) for name in names})
    cuda = types.SimpleNamespace(
        Device=lambda: types.SimpleNamespace(id=0),
        get_current_stream=lambda: types.SimpleNamespace(ptr=noted.stream),
    )
    modules = {"cupyx.scipy.fft": fft, "cupy": types.SimpleNamespace(cuda=cuda)}
    monkeypatch.setattr(cupy_plans, "importlib", types.SimpleNamespace(import_module=modules.__getitem__))
    monkeypatch.setattr(cupy_plans, "plan_cache", cupy_plans.PlanCache(4096))
    return noted


def test_a_plan_serves_one_shape_direction_and_stream(cupyx):
    flags = types.SimpleNamespace(c_contiguous=True, f_contiguous=False)
    x = types.SimpleNamespace(shape=(3, 4, 5), dtype="complex64", flags=flags)
    for _ in range(2):
        cupy_plans.transform("fftn", x, (4, 5), (1, 2), norm=None)
    assert len(cupyx.made) == 1
    first, second = (options["plan"] for _, options in cupyx.run)
    assert first is second
    cupy_plans.transform("irfftn", x, (4, 8), (1, 2), norm=None)
    cupyx.stream = 2
    cupy_plans.transform("fftn", x, (4, 5), (1, 2), norm=None)
    assert cupyx.made[1:] == [((3, 4, 5), (4, 8), (1, 2), "C2R"), ((3, 4, 5), (4, 5), (1, 2), "C2C")]
    assert cupyx.run[-1] == ("fftn", {"s": (4, 5), "axes": (1, 2), "norm": None, "plan": cupyx.run[-1][1]["plan"]})


def test_without_a_plan_cupy_goes_its_own_way(cupyx):
    flags = types.SimpleNamespace(c_contiguous=True, f_contiguous=False)
    x = types.SimpleNamespace(shape=(3, 4, 5), dtype="complex64", flags=flags)
    cupy_plans.transform("fftn", x, (3, 5), (0, 2), norm=None)
    cupy_plans.transform("hfft", x, (8,), (2,), norm="ortho", plan=None)
    cupy_plans.transform("fft", x, (5,), (2,), norm=None, plan="theirs")
    assert cupyx.run == [
        ("fftn", {"s": (3, 5), "axes": (0, 2), "norm": None}),
        ("hfft", {"n": 8, "axis": 2, "norm": "ortho"}),
        ("fft", {"n": 5, "axis": 2, "norm": None, "plan": "theirs"}),
    ]
    assert cupyx.made == []
