"""What is accepted as an array, what is refused and how, and that nothing given is changed."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from tests import reference
from tests.assertions import assert_same_home
from tests.cases import draw
from tests.libraries import make, name_of, to_numpy

CALLS = {
    "convolve": lambda x, kernel, **options: gpuconv.convolve(x, kernel, **options),
    "correlate": lambda x, kernel, **options: gpuconv.correlate(x, kernel, **options),
    "convolve_separable": lambda x, kernel, **options: gpuconv.convolve_separable(x, [kernel], axes=(-1,), **options),
    "convolve_adjoint": lambda x, kernel, **options: gpuconv.convolve_adjoint(x, kernel, shape=np.shape(x), **options),
    "plan_convolution": lambda x, kernel, **options: gpuconv.plan_convolution(x, kernel, **options),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def from_module(name, **attributes):
    """An instance of a class of a library that need not be there."""
    kind = type(name.rpartition(".")[2].title(), (), {"__module__": name, "shape": (3,), **attributes})
    return kind()


REFUSED = {
    "masked": (
        np.ma.masked_array([1.0, 2.0], [True, False]),
        "must be a plain array: got a numpy.ma.MaskedArray.*filled",
    ),
    "matrix": (np.ones((1, 2)).view(np.matrix), "must be a plain array: got a numpy.matrix. Pass numpy.asarray"),
    "pandas": (
        from_module("pandas.core.series"),
        r"must be a plain array: got pandas .*lose its index: pass series.to_numpy\(\)",
    ),
    "xarray": (
        from_module("xarray.core.dataarray"),
        r"must be a plain array: got xarray .*lose its coordinates: pass data.data",
    ),
    "scipy.sparse": (
        from_module("scipy.sparse._csr"),
        r"must be a plain array: got scipy .*lose its sparsity: pass matrix.toarray\(\)",
    ),
    "sparse": (
        from_module("sparse.numba_backend"),
        r"must be a plain array: got sparse .*lose its sparsity: pass array.todense\(\)",
    ),
    "quantity": (
        from_module("astropy.units.quantity"),
        r"must be a plain array: got astropy .*lose its unit: pass quantity.value",
    ),
    "pint": (from_module("pint.registry"), r"must be a plain array: got pint .*lose its unit: pass quantity.magnitude"),
    "text": ("1 2 3", "must be an array of NumPy, .*: got builtins.str. Convert it with numpy.asarray first"),
    "nothing": (None, "must be an array of NumPy, .*: got builtins.NoneType"),
    "function": (len, "must be an array of NumPy, .*: got builtins.builtin_function_or_method"),
    "generator": ((i for i in (1, 2)), "must be an array of NumPy, .*: got builtins.generator"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("place", ["x", "kernel"])
def test_what_would_lose_something_is_refused_with_the_remedy(name, place):
    given, message = REFUSED[name]
    with pytest.raises(TypeError, match=f"{place} {message}"):
        gpuconv.convolve(*((given, [1.0]) if place == "x" else ([1.0], given)))


def test_a_module_that_only_begins_like_pandas_is_not_pandas():
    with pytest.raises(TypeError, match="must be an array of NumPy"):
        gpuconv.convolve(from_module("pandasaurus"), [1.0])


def test_sparse_tensors_are_refused_with_the_remedy():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"x must be a dense tensor: .*Pass x.to_dense\(\)"):
        gpuconv.convolve(torch.eye(3).to_sparse(), np.ones((2, 2)))


@every_call
@pytest.mark.parametrize("dtype", ["bool", "longdouble", "object", "U2", "datetime64[s]", "V3"])
def test_dtypes_outside_the_table_are_refused(call, dtype):
    bad = np.zeros(3, dtype=dtype)
    with pytest.raises(
        TypeError, match=f"must have one of the dtypes .*: its dtype is {bad.dtype.name.replace('[', '.')[:5]}"
    ):
        call(bad, np.ones(2))
    with pytest.raises(TypeError, match="must have one of the dtypes"):
        call(np.zeros(3), bad[:2])


def test_bool_is_refused_with_advice(xp):
    x = make(xp, np.array([True, False]))
    with pytest.raises(TypeError, match="Cast it first: to uint8 to count neighbours, to float32 to average"):
        gpuconv.convolve(x, [1, 1])
    with pytest.raises(TypeError, match="kernel must have one of the dtypes .*its dtype is bool"):
        gpuconv.convolve([1, 2], [True, False])


def test_arrays_of_two_libraries_are_refused(xp):
    if name_of(xp) == "numpy":
        pytest.skip("NumPy kernels go with every library")
    x = make(xp, [1.0, 2.0])
    with pytest.raises(TypeError, match=f"x belongs to numpy, kernel to {name_of(xp)}. Convert one of them"):
        gpuconv.convolve(np.ones(2), x)
    with pytest.raises(TypeError, match=f"x belongs to numpy, each of taps to {name_of(xp)}"):
        gpuconv.convolve_separable(np.ones(2), [x])


def test_two_foreign_libraries_are_refused():
    torch, strict = pytest.importorskip("torch"), pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="x belongs to torch, kernel to array_api_strict"):
        gpuconv.convolve(torch.ones(2), strict.ones(2))


@every_call
def test_lists_and_tuples_are_numpy_arrays(call):
    if call is CALLS["plan_convolution"]:
        assert call([1, 2], (1, 1)).problem.library == "numpy"
        return
    result = call([1.0, 2.0, 4.0], (1.0, 3.0))
    assert isinstance(result, np.ndarray)
    assert result.tolist() == call(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0])).tolist()


def test_python_integers_are_exact_up_to_64_bits():
    assert gpuconv.convolve([2**62], [1]).tolist() == [2**62]
    assert gpuconv.convolve([2**63], np.array([1], dtype=np.uint8)).tolist() == [2**63]
    with pytest.raises(TypeError, match="its dtype is object"):
        gpuconv.convolve([2**64], [1])


@every_call
@pytest.mark.parametrize("x", [3.0, np.float64(3.0), np.array(3.0)], ids=["float", "numpy scalar", "0-d array"])
def test_scalars_have_no_axis_to_convolve(call, x):
    with pytest.raises(ValueError, match="a convolution needs at least one axis|taps needs one entry|axes must lie in"):
        call(x, np.ones(1))


def test_zero_dimensional_kernels_are_refused():
    with pytest.raises(
        ValueError, match=r"kernel needs one dimension per convolved axis: kernel has shape \(\), axes=\(0,\)"
    ):
        gpuconv.convolve(np.ones(3), np.float64(2.0))


def test_kernels_need_a_dimension_per_axis():
    with pytest.raises(ValueError, match=r"kernel has shape \(3, 5\), axes=\(1,\). Give axes of length 2, or reshape"):
        gpuconv.convolve(np.ones((4, 4)), np.ones((3, 5)), axes=1)
    with pytest.raises(ValueError, match="taps needs one entry per convolved axis: got 1 entries for axes"):
        gpuconv.convolve_separable(np.ones((4, 4)), [np.ones(3)])
    with pytest.raises(ValueError, match=r"each of taps must be one-dimensional: got shape \(1, 3\)"):
        gpuconv.convolve_separable(np.ones(4), [np.ones((1, 3))])
    with pytest.raises(
        TypeError, match=r"taps must be a list or tuple .*got ndarray. Write \[taps\] for a single axis"
    ):
        gpuconv.convolve_separable(np.ones(4), np.ones(3))


@every_call
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mode": "whole"}, ValueError, "mode must be one of 'full', 'same', 'valid': got 'whole'"),
        ({"mode": ["same"]}, ValueError, "mode must be one of"),
        ({"boundary": "symmetric"}, ValueError, "boundary must be one of 'constant', 'reflect'"),
        ({"boundary": {"wrap"}}, ValueError, "boundary must be one of 'constant', 'reflect'"),
        ({"boundary": ("wrap", "wrap")}, ValueError, r"boundary needs one entry, or one per convolved axis \(1\)"),
        ({"origin": 2}, ValueError, "origin must keep the centre inside the kernel"),
        ({"origin": 1.0}, TypeError, "origin must be an integer: got 1.0"),
        ({"origin": 1, "mode": "full"}, ValueError, "origin shifts the window of mode='same' only"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(call, options, error, message):
    with pytest.raises(error, match=message):
        call(np.ones(5), np.ones(3), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "fast"}, "method must be one of 'auto', 'direct', 'separable', 'fft', 'overlap': got 'fast'"),
        ({"accuracy": "high"}, "accuracy must be one of 'norm', 'local': got 'high'"),
        ({"method": "fft", "accuracy": "local"}, "method='fft' cannot run this .*accuracy='local' forbids transforms"),
        ({"method": "overlap", "accuracy": "local"}, "method='overlap' cannot run this .*accuracy='local' forbids"),
        ({"method": "separable"}, "method='separable' cannot run this convolution: one axis is one pass already"),
    ],
    ids=str,
)
def test_methods_that_cannot_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gpuconv.convolve(np.ones(5), np.ones(3), **options)


def test_validation_does_not_depend_on_what_was_asked_before():
    """1, 1.0 and True are one key to a dictionary."""
    x, kernel = np.ones((5, 5)), np.ones(3)
    gpuconv.convolve(x, kernel, axes=1, origin=1)
    for wrong in (1.0, True):
        with pytest.raises(TypeError, match="must be an integer"):
            gpuconv.convolve(x, kernel, axes=1, origin=wrong)
        with pytest.raises(TypeError, match="must be an integer"):
            gpuconv.convolve(x, kernel, axes=wrong, origin=1)


def test_axes_and_origins_may_be_arrays_of_integers():
    x, kernel = draw((4, 5), "float64", "x"), draw((2, 3), "float64", "kernel")
    expected = gpuconv.convolve(x, kernel, axes=(0, 1), origin=(1, -1))
    assert gpuconv.convolve(x, kernel, axes=np.array([0, 1]), origin=np.array([1, -1])).tolist() == expected.tolist()


@pytest.mark.parametrize("cval", ["0", None, True, [0.0], np.zeros(2)], ids=repr)
def test_fill_values_are_numbers(cval):
    with pytest.raises(TypeError, match="cval must be a number: got"):
        gpuconv.convolve(np.ones(3), [1.0, 1.0], cval=cval)


def test_fill_values_must_fit_the_image():
    with pytest.raises(
        ValueError, match="cval of a real image must be real: got 1j for dtype float64. Cast x to complex"
    ):
        gpuconv.convolve(np.ones(3), [1.0, 1.0], cval=1j)
    for cval in (256, -1, 0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must be a sample that x could have: got .*whole number from 0 to 255"):
            gpuconv.convolve(np.ones(3, np.uint8), [1, 1], cval=cval)
    result = gpuconv.convolve(np.ones(3, np.uint8), [1, 1], cval=np.float64(255.0))
    assert result.tolist() == [256, 2, 2]


def test_wide_integers_refuse_transforms_with_the_reason():
    with pytest.raises(ValueError, match="integers must be exact, and the transform's error could reach"):
        gpuconv.convolve(np.ones(5, np.int64), [1, 1], method="fft")


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
def test_byte_order_of_files_makes_no_difference(order, method):
    """FITS and many TIFF files are big-endian."""
    kernel = np.outer([1.0, 2.0, 1.0], [1.0, 0.5])
    for kind in ("f4", "f8", "c8", "i2", "u1"):
        x = draw((5, 6), np.dtype(kind).name, "x")
        result = gpuconv.convolve(x.astype(order + kind), kernel.astype(order + "f8"), method=method)
        expected = gpuconv.convolve(x, kernel, method=method)
        assert result.dtype == expected.dtype
        assert result.dtype.isnative
        assert result.tolist() == expected.tolist()


def layouts(values):
    """The same values in memory in every order, with gaps, backwards, at odd addresses and locked."""
    yield "C", values
    yield "Fortran", np.asfortranarray(values)
    yield "strided", np.repeat(np.repeat(values, 2, axis=0), 3, axis=1)[::2, ::3]
    yield "backwards", np.ascontiguousarray(values[::-1, ::-1])[::-1, ::-1]
    yield "transposed", np.ascontiguousarray(values.T).T
    broadcast = np.broadcast_to(values[:1], values.shape)
    yield "broadcast", broadcast
    unaligned = np.zeros(values.nbytes + 1, np.uint8)[1:].view(values.dtype).reshape(values.shape)
    unaligned[...] = values
    yield "unaligned", unaligned
    locked = values.copy()
    locked.flags.writeable = False
    yield "read-only", locked


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
@pytest.mark.parametrize("dtype", ["float32", "complex128", "int16"])
def test_memory_layout_makes_no_difference(dtype, method):
    kernel = np.outer([1, -2, 3], [2, 1]).astype("int8" if dtype == "int16" else "float64")
    for name, x in layouts(draw((5, 6), dtype, "x", {"int16": 1000})):
        for weights in (kernel, np.asfortranarray(kernel), np.flip(np.flip(kernel).copy())):
            before = x.copy()
            result = gpuconv.convolve(x, weights, method=method, boundary="reflect")
            expected = gpuconv.convolve(np.ascontiguousarray(x), kernel, method=method, boundary="reflect")
            assert result.tolist() == expected.tolist(), name
            assert x.tolist() == before.tolist()
            assert result.flags.writeable
            assert not np.shares_memory(result, x)


def test_a_memory_map_gives_an_array_in_memory(tmp_path):
    x = np.memmap(tmp_path / "x", dtype="float32", mode="w+", shape=(4, 5))
    x[...] = draw((4, 5), "float32", "x")
    result = gpuconv.convolve(x, np.ones((3, 3)))
    assert type(result) is np.ndarray
    assert result.tolist() == gpuconv.convolve(np.array(x), np.ones((3, 3))).tolist()


@pytest.mark.parametrize("method", ["direct", "fft", "separable"])
def test_nothing_given_is_changed(xp, method):
    values, weights = draw((4, 5), "float64", "x"), np.outer([1.0, 2.0], [3.0, 4.0, 5.0])
    x, kernel = make(xp, values), make(xp, weights)
    if method == "separable" and name_of(xp) == "dask":
        kernel = weights
    gpuconv.convolve(x, kernel, method=method, boundary="wrap", cval=2.0)
    gpuconv.convolve_adjoint(x, kernel, shape=(4, 5), boundary="wrap")
    assert to_numpy(x).tolist() == values.tolist()
    assert to_numpy(kernel).tolist() == weights.tolist()


def test_a_single_unit_tap_gives_a_copy_not_the_array_itself(xp):
    if name_of(xp) in ("jax", "dask"):
        pytest.skip(f"{name_of(xp)} arrays cannot be written to")
    x = make(xp, [1.0, 2.0])
    for result in (
        gpuconv.convolve(x, [1.0]),
        gpuconv.convolve_separable(x, [[1.0]]),
        gpuconv.convolve_adjoint(x, [1.0], shape=(2,)),
        gpuconv.convolve(x, [1.0], method="fft"),
    ):
        result[0] = 9.0
        assert to_numpy(x).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_torchs_bare_unsigned_dtypes_work_where_the_result_is_another(dtype):
    torch = pytest.importorskip("torch")
    values = draw((6,), dtype, "x", {"uint64": 2**40})
    x = torch.from_numpy(values)
    result = gpuconv.convolve(x, np.array([1.0, 2.0, 4.0]), boundary="mirror")
    expected = reference.convolve(values, np.array([1.0, 2.0, 4.0]), boundary="mirror")
    assert_same_home(result, x, dtype="float32" if dtype == "uint16" else "float64")
    assert to_numpy(result).tolist() == expected.astype(to_numpy(result).dtype).tolist()
    if dtype != "uint64":
        kernel = np.array([1, -2, 4], dtype=np.int8)
        result = to_numpy(gpuconv.convolve(x, kernel, boundary="mirror"))
        assert result.tolist() == reference.convolve(values, kernel, boundary="mirror").tolist()


def test_lazily_conjugated_and_negated_tensors_are_read_right():
    torch = pytest.importorskip("torch")
    values = draw((5,), "complex128", "x")
    x = torch.from_numpy(values)
    kernel = draw((3,), "complex128", "kernel")
    result = to_numpy(gpuconv.convolve(x.conj(), torch.from_numpy(kernel).conj(), method="direct"))
    np.testing.assert_allclose(result, reference.convolve(values.conj(), kernel.conj()), rtol=1e-14)
    result = to_numpy(gpuconv.convolve(x.conj().imag, torch.from_numpy(kernel).conj().imag, method="direct"))
    np.testing.assert_allclose(result, reference.convolve(-values.imag, -kernel.imag), rtol=1e-14)


def test_jax_without_double_precision(run_python):
    """The default of JAX: single precision works, and what would need more is refused in words."""
    pytest.importorskip("jax")
    code = """
import numpy as np, jax.numpy as jnp, gpuconv
x = jnp.arange(6, dtype=jnp.float32)
for method in ("direct", "fft", "overlap"):
    y = gpuconv.convolve(x, np.array([1.0, 2.0]), method=method)
    assert y.dtype == jnp.float32 and np.allclose(y, [0, 1, 4, 7, 10, 13], atol=1e-5), y
y = gpuconv.convolve(x.astype(jnp.complex64), [1j])
assert y.dtype == jnp.complex64
y = gpuconv.convolve(x.astype(jnp.int8), jnp.asarray([1, 2], dtype=jnp.int8))
assert y.dtype == jnp.int32 and y.tolist() == [0, 1, 4, 7, 10, 13], y
y = gpuconv.convolve(x.astype(jnp.uint8), [0.5, 0.5])
assert y.dtype == jnp.float32
y = gpuconv.convolve_separable(jnp.ones((4, 5)), [[1.0, 2.0], [3.0, 4.0]], cval=1.0)
assert y.dtype == jnp.float32 and (y == 21).all(), y
assert "float32" in str(gpuconv.plan_convolution(x, [1.0, 2.0]))
for bad in (lambda: gpuconv.convolve(x.astype(jnp.int32), [1, 2]),
            lambda: gpuconv.convolve(x.astype(jnp.int32), [0.5]),
            lambda: gpuconv.convolve(x.astype(jnp.int8), jnp.asarray([1, 2], dtype=jnp.int8), method="fft"),
            lambda: gpuconv.convolve_adjoint(x.astype(jnp.int8), np.ones(2, np.int8), shape=(6,), boundary="wrap")):
    try:
        print(bad().dtype)
    except (TypeError, ValueError) as error:
        print(error)
"""
    printed = run_python(code).splitlines()
    assert len(printed) == 4, printed
    assert printed[0].startswith("this convolution gives int64, which JAX computes only with 64-bit types enabled")
    assert printed[1].startswith("this convolution gives float64, which JAX computes only with 64-bit types enabled")
    assert "integers need a double-precision transform, and 64-bit types are off" in printed[2]
    assert printed[3].startswith("this convolution gives int64")


def test_threads_do_not_disturb_each_other():
    from concurrent.futures import ThreadPoolExecutor

    def work(seed):
        x, kernel = draw((20, 21), "float32", f"x {seed}"), draw((3 + seed % 5, 4), "float64", f"kernel {seed}")
        with gpuconv.use_backend("generic" if seed % 2 else None):
            return gpuconv.convolve(x, kernel, boundary="mirror", method="direct" if seed % 3 else "fft").tolist()

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(40)))
    assert together == [work(seed) for seed in range(40)]
