"""Results stay on the device of the image, on the second device that array-api-strict pretends to have."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from tests.assertions import assert_close, assert_same_home

strict = pytest.importorskip("array_api_strict")
DEVICE = strict.Device("device1")
KERNEL = np.outer([1.0, 2.0], [1.0, 0.0, 3.0])


def on_device(values, dtype=None):
    return strict.asarray(values, dtype=dtype, device=DEVICE)


def from_device(x):
    return np.asarray(strict.asarray(x, device=strict.Device("CPU_DEVICE")))


VALUES = np.arange(30.0).reshape(5, 6)
CALLS = {
    **{
        method: lambda x, kernel, method=method: gpuconv.convolve(
            x, kernel, method=method, cval=2.0, boundary=("constant", "reflect")
        )
        for method in ("auto", "direct", "separable", "fft", "overlap")
    },
    "correlate": lambda x, kernel: gpuconv.correlate(x, kernel, mode="full", boundary="wrap"),
    "adjoint": lambda x, kernel: gpuconv.convolve_adjoint(x, kernel, shape=x.shape, boundary="mirror"),
    "nothing": lambda x, kernel: gpuconv.convolve(x[:0, :], kernel, boundary="wrap"),
    "zero taps": lambda x, kernel: gpuconv.convolve(x, 0 * np.ones((2, 2))),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_results_stay_on_the_device_of_the_image(call):
    x = on_device(VALUES)
    expected = call(VALUES, KERNEL)
    for kernel in (KERNEL, on_device(KERNEL)):
        result = call(x, kernel)
        assert_same_home(result, x)
        assert_close(from_device(result), expected, tolerance=1e-11)


def test_separable_stays_on_the_device():
    x = on_device(VALUES)
    result = gpuconv.convolve_separable(x, [[1.0, 2.0], on_device([1.0, 0.0, 3.0])], cval=1.0)
    assert_same_home(result, x)
    assert_close(from_device(result), gpuconv.convolve(VALUES, KERNEL, cval=1.0), tolerance=1e-11)


def test_out_is_written_where_it_lies():
    x, out = on_device(VALUES), on_device(np.zeros((5, 6)), dtype=strict.int16)
    assert gpuconv.convolve(x, KERNEL, out=out) is out
    assert from_device(out).tolist() == gpuconv.convolve(VALUES, KERNEL).tolist()


def test_nothing_is_moved_between_devices():
    x, elsewhere = on_device(VALUES), strict.asarray(KERNEL)
    with pytest.raises(ValueError, match="kernel must be on the device of x, or a NumPy array: x is on .*device1"):
        gpuconv.convolve(x, elsewhere)
    with pytest.raises(TypeError, match="out must live where x lives: x is a array_api_strict array on .*device1"):
        gpuconv.convolve(x, KERNEL, out=strict.asarray(VALUES))


def test_a_plan_is_made_for_one_device():
    plan = gpuconv.plan_convolution(on_device(VALUES), KERNEL)
    with pytest.raises(ValueError, match="device is .*planned .*device1"):
        plan.execute(strict.asarray(VALUES), KERNEL)
