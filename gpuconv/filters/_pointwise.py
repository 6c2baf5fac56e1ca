"""What is computed sample by sample: lengths of vectors, and eigenvalues of symmetric matrices.

All of it is differentiable everywhere: where a length is 0, or two eigenvalues are equal, a derivative that does not
exist is 0 instead of NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import dtype_name


def length(xp: Any, parts: Sequence[Any]) -> Any:
    """``sqrt(sum |parts|^2)``; squares neither overflow nor vanish on the way."""
    real = [part for whole in parts for part in real_parts(xp, whole)]
    if len(real) == 1:
        return xp.abs(real[0])
    return reduce(partial(_hypotenuse, xp), real)


def real_parts(xp: Any, x: Any) -> list[Any]:
    return [xp.real(x), xp.imag(x)] if is_complex(dtype_name(x.dtype)) else [x]


def squared(xp: Any, x: Any) -> Any:
    """``|x|^2``."""
    return sum(part * part for part in real_parts(xp, x))


def _hypotenuse(xp: Any, one: Any, other: Any) -> Any:
    zero = (one == 0) & (other == 0)
    # The root has no slope at 0: there it is taken of something else, and the result put in its place.
    root = xp.hypot(xp.where(zero, xp.ones_like(one), one), other)
    return xp.where(zero, xp.zeros_like(root), root)


def eigenvalues(xp: Any, components: Sequence[Any]) -> list[Any]:
    """Eigenvalues of symmetric matrices, largest first, from their 1, 3 or 6 components on and above the diagonal."""
    if len(components) == 1:
        return list(components)
    return _of_two(xp, *components) if len(components) == 3 else _of_three(xp, *components)


def _of_two(xp: Any, a: Any, b: Any, c: Any) -> list[Any]:
    """Eigenvalues of ``[[a, b], [b, c]]``, the smaller one in magnitude without cancellation of the larger."""
    mean = a / 2 + c / 2
    radius = length(xp, [a / 2 - c / 2, b])
    far = xp.where(mean < 0, mean - radius, mean + radius)
    divisor = xp.where(far == 0, xp.ones_like(far), far)
    near = (a / divisor) * c - (b / divisor) * b
    return [xp.maximum(far, near), xp.minimum(far, near)]


def _of_three(xp: Any, a: Any, d: Any, e: Any, b: Any, f: Any, c: Any) -> list[Any]:
    """Eigenvalues of ``[[a, d, e], [d, b, f], [e, f, c]]``.

    With q their mean and N the matrix A - q scaled to length 1, they are ``q + sqrt(2/3) |A - q| cos(t + 2 pi i/3)``.
    Here 3t is the angle between N and the traceless part C of its square, ``<N, C> = 3 det N = cos(3t)/sqrt(6)`` (Smith
    1961). It is taken from both its cosine and its sine, which is the length of what C has beside N: the arccosine
    alone would lose half of the digits where two eigenvalues are close.
    """
    mean = a / 3 + b / 3 + c / 3
    deviator = [a - mean, b - mean, c - mean, d, e, f]
    size = _matrix_length(xp, deviator)
    divisor = xp.where(size == 0, xp.ones_like(size), size)
    a, b, c, d, e, f = unit = [component / divisor for component in deviator]
    # The trace of the square of a matrix of length 1 is 1.
    square = [
        a * a + d * d + e * e - 1 / 3,
        d * d + b * b + f * f - 1 / 3,
        e * e + f * f + c * c - 1 / 3,
        a * d + d * b + e * f,
        a * e + d * f + e * c,
        d * e + b * f + f * c,
    ]
    products = [one * other for one, other in zip(unit, square, strict=True)]
    along = sum(products[:3]) + 2 * sum(products[3:])
    across = _matrix_length(xp, [one - along * other for one, other in zip(square, unit, strict=True)])
    angle = xp.atan2(across, along) / 3
    radius = math.sqrt(2 / 3) * size
    turns = [mean + radius * xp.cos(angle + turn * 2 * math.pi / 3) for turn in (0, -1, 1)]
    largest, smallest = xp.maximum(turns[0], turns[1]), xp.minimum(turns[2], turns[1])
    return [largest, xp.maximum(xp.minimum(turns[1], turns[0]), turns[2]), smallest]


def _matrix_length(xp: Any, components: Sequence[Any]) -> Any:
    """Length of a symmetric matrix: its diagonal first, then what stands above it, which counts twice."""
    return length(xp, [*components[:3], *(math.sqrt(2) * component for component in components[3:])])
