"""Carrying out an exact solve: into the eigenbasis, one factor per eigenvalue, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.convolution import convolve_separable
from gpuconv.core.dtypes import complex_of, is_complex
from gpuconv.core.namespace import Home, bring_home, cast, dtype_in
from gpuconv.diffusion._describe import Task
from gpuconv.diffusion._operators import AxisOperator
from gpuconv.diffusion._plan import EXTENSIONS, DiffusionPlan, propagator_taps
from gpuconv.methods import transform

_LONGEST = 1e300


def solve(task: Task, plan: DiffusionPlan) -> Any:
    """u at the time of the task, in the dtype of the result."""
    home, rule = task.home, task.problem.rule
    u = cast(home, task.u, rule.accumulator)
    if 0 in task.problem.shape or (isinstance(task.time, float) and task.time == 0):
        return _copy(home, cast(home, task.u, rule.result), task.u)
    methods = tuple(along.method for along in plan.axes)
    u = _convolve(task, methods, u)
    basis = Eigenbasis(task, methods)
    if basis.positions:
        spectrum = basis.forward(u)
        spectrum = _drive(task, basis, spectrum) if task.is_driven else _damp(task, basis, spectrum)
        u = basis.inverse(spectrum)
    if not task.is_driven and not (isinstance(task.decay, float) and task.decay == 0):
        u = u * _at_home(task, _exponential(task, _times(task, task.decay, _one(task))))
    return cast(home, u, rule.result)


def _copy(home: Home, result: Any, u: Any) -> Any:
    """Joining one array with nothing copies it bit by bit in every library, and lets gradients through."""
    return home.xp.concat([result], axis=0) if result is u else result


def _convolve(task: Task, methods: tuple[str, ...], u: Any) -> Any:
    """Along the axes whose propagator is short."""
    pairs = zip(task.operators, task.diffusivities, methods, strict=True)
    chosen = [(operator, diffusivity) for operator, diffusivity, method in pairs if method == "kernel"]
    if not chosen:
        return u
    taps = [propagator_taps(task, operator, diffusivity) for operator, diffusivity in chosen]
    boundary = [EXTENSIONS[operator.low.kind] for operator, _ in chosen]
    return convolve_separable(u, taps, axes=tuple(operator.axis for operator, _ in chosen), boundary=boundary)


@dataclass(frozen=True)
class Eigenbasis:
    """The basis that diagonalises the operators of all axes that are not convolved."""

    task: Task
    methods: tuple[str, ...]

    @property
    def positions(self) -> list[int]:
        """Which operators of the task take part."""
        return [position for position, method in enumerate(self.methods) if method != "kernel"]

    def is_fourier(self, position: int) -> bool:
        return self.methods[position] == "transform" and self.task.operators[position].basis == "fft"

    @property
    def waves(self) -> list[int]:
        """Axes of u under the FFT."""
        return [self.task.operators[position].axis for position in self.positions if self.is_fourier(position)]

    def forward(self, u: Any) -> Any:
        """Into the basis; the FFT comes last, so that everything before is real for real u."""
        for position in self.positions:
            if not self.is_fourier(position):
                u = self._apply(position, u, inverse=False)
        return transform.forward(u, self.waves) if self.waves else u

    def inverse(self, spectrum: Any) -> Any:
        if self.waves:
            lengths = [self.task.problem.shape[axis] for axis in self.waves]
            spectrum = transform.inverse(spectrum, self.waves, lengths, self.task.dtype)
        for position in reversed(self.positions):
            if not self.is_fourier(position):
                spectrum = self._apply(position, spectrum, inverse=True)
        return spectrum

    def _apply(self, position: int, u: Any, *, inverse: bool) -> Any:
        operator = self.task.operators[position]
        if self.methods[position] == "transform":
            return transform.cosine(u, operator.axis, operator.basis, inverse)
        home, (backward, onward) = self.task.home, operator.vectors
        vectors = bring_home(backward if inverse else onward, home, self.task.dtype)
        # XLA would multiply float32 on a GPU with the ten bits of TF32.
        precision = {"precision": "highest"} if home.library == "jax" else {}
        product = home.xp.tensordot(vectors, u, axes=((1,), (operator.axis,)), **precision)
        order = list(range(1, u.ndim))
        order.insert(operator.axis, 0)
        return home.xp.permute_dims(product, tuple(order))

    def along(self, position: int, values: np.ndarray) -> np.ndarray:
        """Values per eigenvector of one operator, shaped for the spectrum: the last FFT of real u has half of them."""
        axis = self.task.operators[position].axis
        if self.is_fourier(position) and axis == self.waves[-1] and not is_complex(self.task.dtype):
            values = values[: len(values) // 2 + 1]
        return _broadcast(self.task, axis, values)


def _broadcast(task: Task, axis: int, values: np.ndarray) -> np.ndarray:
    shape = [1] * len(task.problem.shape)
    shape[axis] = -1
    return values.reshape(shape)


def _damp(task: Task, basis: Eigenbasis, spectrum: Any) -> Any:
    """``spectrum exp(-t D lambda - i t v k)``, one factor per axis."""
    for exponent in _exponents(task, basis):
        spectrum = spectrum * _at_home(task, _exponential(task, exponent))
    for position in basis.positions:
        if task.velocity[position]:
            spectrum = spectrum * _shift(task, basis, position)
    return spectrum


def _drive(task: Task, basis: Eigenbasis, spectrum: Any) -> Any:
    """``spectrum exp(-z) + t (1 - exp(-z))/z drive`` with ``z = t (sum_a D lambda + decay)``."""
    xp = task.home.xp
    z = _at_home(task, _times(task, task.decay, _one(task)))
    for exponent in _exponents(task, basis):
        z = z + _at_home(task, exponent)
    still = z == 0
    safe = xp.where(still, xp.ones_like(z), z)
    grown = xp.where(still, 1 - z / 2, -xp.expm1(-safe) / safe) * _amount(task, task.time)
    return spectrum * xp.exp(-z) + basis.forward(_inflow(task)) * grown


def _one(task: Task) -> np.ndarray:
    return np.ones((1,) * len(task.problem.shape))


def _inflow(task: Task) -> Any:
    """The source and what enters through the faces, cell by cell; axes that do not diffuse may have one cell."""
    home, shape = task.home, [1] * len(task.problem.shape)
    for operator in task.operators:
        shape[operator.axis] = operator.line.count
    total = home.xp.zeros(tuple(shape), dtype=dtype_in(home, task.dtype), device=home.device)
    for operator, diffusivity in zip(task.operators, task.diffusivities, strict=True):
        if operator.inflow is not None:
            entering = bring_home(_broadcast(task, operator.axis, operator.inflow), home, task.dtype)
            total = total + entering * _amount(task, diffusivity)
    if task.source is None:
        return total
    source = bring_home(task.source, home, task.dtype) if isinstance(task.source, np.ndarray) else task.source
    return total + cast(home, source, task.dtype)


def _exponents(task: Task, basis: Eigenbasis) -> list[Any]:
    """``t D lambda``, one array per axis, or one for all if the diffusivity mixes axes; on the host where it can be."""
    if isinstance(task.diffusivity, np.ndarray):
        return [_times(task, 1.0, _tensor_symbol(task, basis, task.diffusivity))]
    return [
        _times(task, task.diffusivities[position], basis.along(position, task.operators[position].eigenvalues))
        for position in basis.positions
    ]


def _tensor_symbol(task: Task, basis: Eigenbasis, matrix: np.ndarray) -> np.ndarray:
    """``sum_a D[a, a] lambda_a + sum_a,b D[a, b] s_a s_b``, with ``s = sin(k h)/h``, or k, for first derivatives."""
    total = np.zeros((1,) * len(task.problem.shape))
    slopes = []
    for position, operator in enumerate(task.operators):
        total = total + matrix[position, position] * basis.along(position, operator.eigenvalues)
        slopes.append(basis.along(position, _slopes(operator)))
    for row in range(len(slopes)):
        for column in range(row):
            total = total + 2 * matrix[row, column] * slopes[row] * slopes[column]
    # Zero on the null space of a singular matrix, where rounding may fall below.
    return np.maximum(total, 0.0)


def _slopes(operator: AxisOperator) -> np.ndarray:
    """Symbol of the first derivative over i; 0 at the highest frequency of an even axis, which has no sign."""
    angles = np.where(operator.angles == -np.pi, 0.0, operator.angles)
    return (angles if operator.symbol == "continuous" else np.sin(angles)) / operator.line.spacing


def _shift(task: Task, basis: Eigenbasis, position: int) -> Any:
    """``exp(-i t v k)``; at the highest frequency of an even axis its real part, which keeps real u real."""
    operator, home = task.operators[position], task.home
    turned = task.velocity[position] * operator.angles / operator.line.spacing
    turned = _times(task, 1.0, basis.along(position, turned))
    xp = np if isinstance(turned, np.ndarray) else home.xp
    odd = bring_home(basis.along(position, (operator.angles != -np.pi).astype(np.float64)), home, task.real_dtype)
    dtype = complex_of(task.dtype)
    cosine, sine = (_at_home(task, part) for part in (xp.cos(turned), xp.sin(turned)))
    return cast(home, cosine, dtype) - 1j * cast(home, sine * odd, dtype)


def _times(task: Task, amount: Any, values: np.ndarray) -> Any:
    """``time amount values``: on the host in double precision if the amounts are floats, else an array at home."""
    if isinstance(task.time, float) and isinstance(amount, float):
        # Bounded, so that a mode that does not decay stays as it is (0 times infinity), and the others become 0.
        with np.errstate(over="ignore"):
            return min(task.time * amount, _LONGEST) * values
    return bring_home(values, task.home, task.real_dtype) * (_amount(task, task.time) * _amount(task, amount))


def _exponential(task: Task, exponent: Any) -> Any:
    return np.exp(-exponent) if isinstance(exponent, np.ndarray) else task.home.xp.exp(-exponent)


def _at_home(task: Task, values: Any) -> Any:
    return bring_home(values, task.home, task.real_dtype) if isinstance(values, np.ndarray) else values


def _amount(task: Task, amount: Any) -> Any:
    """A float, or the 0-d array in the precision that is computed in."""
    return amount if isinstance(amount, float) else cast(task.home, amount, task.real_dtype)
