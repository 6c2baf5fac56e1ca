"""Who owns an array: what is read off it, and how small things are moved to it."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv.core.namespace import bring_home, cast, device_of, dtype_name, home_of, read_image, read_kernel, to_numpy
from tests.libraries import has_dtype, make, name_of


def test_the_home_of_an_array_is_its_library_and_device(xp):
    x = make(xp, [1.0, 2.0])
    given, home = read_image(x)
    assert given is x
    assert home.library == name_of(xp)
    assert home.device == device_of(x)
    assert not home.traced
    assert dtype_name(home.xp.asarray([1.0], dtype=home.xp.float32).dtype) == "float32"


def test_sequences_and_scalars_are_numpys():
    for given, shape in (([1, 2], (2,)), (((1.0, 2.0), (3.0, 4.0)), (2, 2)), (3, ()), (np.float32(2), ())):
        x, home = read_image(given)
        assert isinstance(x, np.ndarray)
        assert home.library == "numpy"
        assert x.shape == shape


@pytest.mark.parametrize("name", ["int8", "uint8", "int32", "int64", "float32", "float64", "complex64", "complex128"])
def test_dtypes_have_the_same_plain_name_everywhere(xp, name):
    x = make(xp, [1, 0], dtype=name)
    assert dtype_name(x.dtype) == name
    assert cast(home_of(x), x, name) is x
    assert dtype_name(cast(home_of(x), make(xp, [1.0, 2.0], dtype="float32"), name).dtype) == name


def test_byte_order_is_no_part_of_a_dtypes_name():
    assert dtype_name(np.dtype(">f4")) == "float32"
    x, _ = read_image(np.array([1, 2], dtype=">i2"))
    assert x.dtype.isnative
    assert x.tolist() == [1, 2]


def test_host_parameters_are_brought_home(xp):
    home = home_of(make(xp, [1.0]))
    moved = bring_home(np.arange(6.0).reshape(2, 3)[:, ::-1], home, "float32")
    assert dtype_name(moved.dtype) == "float32"
    assert home_of(moved) == home
    assert to_numpy(moved).tolist() == [[2, 1, 0], [5, 4, 3]]


def test_a_kernel_at_hand_is_read_as_a_numpy_array():
    home = home_of(np.zeros(1))
    for kernel in ([1, 2], (1.0, 2.0), np.arange(2), np.float64(3)):
        assert type(read_kernel(kernel, home)) is np.ndarray


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_two_byte_floats_are_copied_to_the_host(xp, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    assert to_numpy(make(xp, [0.5, -2.0], dtype=dtype)).astype(np.float64).tolist() == [0.5, -2.0]


def test_any_array_is_copied_to_the_host(xp):
    for values in (np.arange(6).reshape(2, 3), np.array([1 + 2j]), np.array(3.0), np.empty((0, 2))):
        copied = to_numpy(make(xp, values))
        assert isinstance(copied, np.ndarray)
        assert copied.dtype == values.dtype
        assert copied.tolist() == values.tolist()
