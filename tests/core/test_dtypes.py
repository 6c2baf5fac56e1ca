"""Which dtype a convolution gives: the rules of the documentation, written out once more and compared pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpuconv.core.dtypes import INTEGERS, SUPPORTED, UNSIGNED, check_supported, convolution_dtypes, integer_range

FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


def expected_result(image, kernel, taps):
    """The rule in words: floats keep their precision, narrow integers meet floats in single precision, integers fit."""
    complex_kernel = kernel.startswith("complex")
    if image in FLOATING:
        double = image in ("float64", "complex128")
        if complex_kernel:
            return "complex128" if double else "complex64"
        return image
    if kernel in FLOATING:
        narrow = image in ("int8", "uint8", "int16", "uint16")
        return {(True, False): "float32", (True, True): "complex64", (False, False): "float64"}.get(
            (narrow, complex_kernel), "complex128"
        )
    largest = [max(abs(int(np.iinfo(name).min)), int(np.iinfo(name).max)) for name in (image, kernel)]
    if largest[0] * largest[1] * taps < 2**31:
        return "int32"
    unsigned = [name.startswith("u") for name in (image, kernel)]
    if all(unsigned):
        return "uint64"
    return None if "uint64" in (image, kernel) else "int64"


@pytest.mark.parametrize("taps", [1, 9, 1025, 70000])
def test_every_pair_of_dtypes_gives_what_the_rules_say(taps):
    for image, kernel in itertools.product(SUPPORTED, SUPPORTED):
        expected = expected_result(image, kernel, taps)
        if expected is None:
            with pytest.raises(
                TypeError, match="no integer dtype holds products of uint64 and signed integers exactly"
            ):
                convolution_dtypes(image, (kernel, taps))
            continue
        rule = convolution_dtypes(image, (kernel, taps))
        assert rule.result == expected, (image, kernel)
        assert rule.accumulator == {"float16": "float32", "bfloat16": "float32"}.get(expected, expected)


def test_int32_is_given_up_to_the_last_tap_that_fits():
    """A sum of 33025 products of 255 and 255 is below 2**31, one of 33026 is not."""
    fitting = (2**31 - 1) // 255**2
    assert convolution_dtypes("uint8", ("uint8", fitting)).result == "int32"
    assert convolution_dtypes("uint8", ("uint8", fitting + 1)).result == "uint64"
    fitting = (2**31 - 1) // (128 * 128)
    assert convolution_dtypes("int8", ("int8", fitting)).result == "int32"
    assert convolution_dtypes("int8", ("int8", fitting + 1)).result == "int64"


def test_several_kernels_count_as_their_outer_product():
    assert convolution_dtypes("uint8", ("int8", 3), ("int8", 3)).result == "int32"
    assert convolution_dtypes("uint8", ("int8", 30), ("int8", 30)).result == "int64"
    assert convolution_dtypes("uint8", ("int8", 3), ("float32", 3)).result == "float32"
    assert convolution_dtypes("float32", ("float64", 3), ("complex128", 3)).result == "complex64"


@pytest.mark.parametrize("name", INTEGERS)
def test_integer_ranges_are_numpys(name):
    assert integer_range(name) == (np.iinfo(name).min, np.iinfo(name).max)
    assert (name in UNSIGNED) == (np.iinfo(name).min == 0)


def test_bool_is_refused_with_advice():
    with pytest.raises(
        TypeError, match=r"its dtype is bool\. Cast it first: to uint8 to count .*, to float32 to average"
    ):
        check_supported("bool", "x")


@pytest.mark.parametrize("name", ["longdouble", "float128", "complex256", "object", "str32", "datetime64[ns]", "int4"])
def test_dtypes_outside_the_table_are_refused(name):
    with pytest.raises(TypeError, match=r"kernel must have one of the dtypes int8, .*: its dtype is .*Cast it to one"):
        check_supported(name, "kernel")
