"""What a linear recurrence is, one output after the other, and how far from it rounding may lead."""

from __future__ import annotations

import numpy as np

from tests.assertions import EPS


def feedback_of(poles):
    """Real where the poles come in pairs."""
    coefficients = np.poly(poles)[1:]
    return coefficients.real if np.allclose(coefficients.imag, 0) else coefficients


def recur(x, feedback, axis, initial=None):
    """The definition, in double precision."""
    order = len(feedback)
    wide = np.moveaxis(np.asarray(x), axis, -1).astype(np.result_type(x, feedback))
    y = np.zeros((*wide.shape[:-1], order + wide.shape[-1]), wide.dtype)
    if initial is not None:
        y[..., :order] = np.moveaxis(initial, axis, -1)
    for n in range(wide.shape[-1]):
        y[..., order + n] = wide[..., n]
        for back in range(order):
            y[..., order + n] -= feedback[back] * y[..., order + n - 1 - back]
    return np.moveaxis(y[..., order:], -1, axis)


def allowed(dtype, feedback, expected, axis):
    """A rounding error of each term of each step, fed back as an impulse would be."""
    size = expected.shape[axis]
    impulse = np.zeros(size)
    impulse[:1] = 1
    gain = np.abs(recur(impulse, feedback, -1)).sum()
    step = (len(feedback) + 2) * (1 + np.abs(feedback).sum()) * np.abs(expected).max(initial=1)
    return EPS[dtype] * gain * step
