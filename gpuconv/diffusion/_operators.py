"""The diffusion operator of one axis and its eigenbasis: cosines, sines, waves, or what LAPACK finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.diffusion.conditions import Condition
from gpuconv.diffusion.grid import Line

# Cells of the longest axis in an eigenbasis: its matrix takes 512 MiB.
LONGEST = 2**13
# Cells of the longest axis whose basis is kept for the next call: eight of them take 64 MiB.
_REMEMBERED = 2**10


@dataclass(frozen=True)
class AxisOperator:
    """``(L u)[i] = (flux[i+1] - flux[i]) / volume[i]`` along one axis of u, for diffusivity 1.

    ``flux[i] = area[i] (u[i-1] - u[i]) / h`` through the faces between cells; the conditions give those through the
    first and the last. With the symbol "continuous" the eigenvalues are those of the second derivative, k^2, in place
    of the lattice's ``(2/h sin(k h/2))^2``, and the eigenvectors are the same.
    """

    axis: int
    line: Line
    low: Condition
    high: Condition
    symbol: str

    @property
    def basis(self) -> str:
        """ "fft", "dct", "dst", "quarter" (waves that end in a quarter) or "eigh": what diagonalises it."""
        kinds = {self.low.kind, self.high.kind}
        if self.line.geometry != "cartesian" or "robin" in kinds:
            return "eigh"
        if len(kinds) == 2:
            return "quarter"
        return {"periodic": "fft", "no-flux": "dct", "fixed": "dst"}[self.low.kind]

    @property
    def is_transform(self) -> bool:
        return self.basis in ("fft", "dct", "dst")

    @property
    def angles(self) -> np.ndarray:
        """``k h`` of each wave, float64 of shape (count,); for "fft" in the order of the FFT."""
        n = self.line.count
        if self.basis == "fft":
            return 2 * np.pi * np.fft.fftfreq(n)
        return np.pi * (np.arange(n) + {"dct": 0, "dst": 1, "quarter": 0.5}[self.basis]) / n

    @property
    def eigenvalues(self) -> np.ndarray:
        """All of L, zero or more, float64 of shape (count,), in the order of the basis."""
        if self.basis == "eigh":
            return _eigenbasis(self.line, self.low, self.high)[0]
        waves = self.angles if self.symbol == "continuous" else 2 * np.sin(self.angles / 2)
        return np.square(waves / self.line.spacing)

    @property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """``(inverse, forward)`` with ``L = inverse diag(eigenvalues) forward``, float64 of shape (count, count)."""
        if self.basis == "eigh":
            _, q, root = _eigenbasis(self.line, self.low, self.high)
            return q / root[:, None], q.T * root
        q = self._waves()
        return q, q.T

    def _waves(self) -> np.ndarray:
        """Orthonormal columns; the real waves of "fft" are cosines for frequencies of 0 and above, sines below."""
        check_length(self.line.count)
        places, angles = np.arange(self.line.count)[:, None], self.angles
        if self.basis == "fft":
            waves = np.where(angles >= 0, np.cos(places * angles), np.sin(places * angles))
            return _unit(np.where(angles == -np.pi, np.cos(np.pi * places), waves))
        from_wall = self.low.kind == "fixed"
        return _unit((np.sin if from_wall else np.cos)((places + 0.5) * angles))

    @property
    def inflow(self) -> np.ndarray | None:
        """What enters the first and the last cell from outside where u = 0, float64 of shape (count,); None if nothing.

        ``du/dt = D (inflow - L u)``.
        """
        if self.low.value == self.high.value == 0 or self.line.count == 0:
            return None
        line, inflow = self.line, np.zeros(self.line.count)
        inflow[0] += self.low.exchange(line.spacing)[1] * line.areas[0] / line.volumes[0]
        inflow[-1] += self.high.exchange(line.spacing)[1] * line.areas[-1] / line.volumes[-1]
        return inflow


def check_length(count: int, geometry: str = "cartesian") -> None:
    """Refuses an eigenbasis that would not fit, before memory is asked for."""
    if count > LONGEST:
        rule = f"an axis that is solved in an eigenbasis may have at most {LONGEST} cells"
        remedy = "Step with evolve(grid=)"
        if geometry == "cartesian":
            remedy = "Take the same periodic, no-flux or fixed condition on both sides, or step with evolve"
        raise ValueError(refusal(rule, f"it has {count}", remedy))


def _unit(columns: np.ndarray) -> np.ndarray:
    return columns / np.linalg.norm(columns, axis=0)


def _eigenbasis(line: Line, low: Condition, high: Condition) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues of L, eigenvectors of ``S = V^(1/2) L V^(-1/2)``, which is symmetric, and ``V^(1/2)``."""
    check_length(line.count, line.geometry)
    return (_remembered if line.count <= _REMEMBERED else _decompose)(line, low, high)


def _decompose(line: Line, low: Condition, high: Condition) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.linalg import eigh_tridiagonal

    between = line.areas[1:-1] / line.spacing
    volumes = line.volumes
    root = np.sqrt(volumes)
    total = np.zeros(line.count)
    total[1:] += between
    total[:-1] += between
    total[0] += line.areas[0] * low.exchange(line.spacing)[0]
    total[-1] += line.areas[-1] * high.exchange(line.spacing)[0]
    values, q = eigh_tridiagonal(total / volumes, -between / (root[1:] * root[:-1]))
    values = np.maximum(values, 0.0)  # rounding of the lowest one
    if _is_closed(line, low, high):
        # Known exactly, and with it the mass: LAPACK's zero is eps times the largest, which a long time magnifies.
        values[0] = 0.0
        q[:, 0] = root / np.linalg.norm(root)
        q[:, 1:] -= np.outer(q[:, 0], q[:, 0] @ q[:, 1:])
    return values, q, root


_remembered = lru_cache(maxsize=8)(_decompose)


def _is_closed(line: Line, low: Condition, high: Condition) -> bool:
    """Whether nothing leaves: a = 0 on every face that has an area."""
    return (low.a == 0 or line.starts_at_centre) and high.a == 0
