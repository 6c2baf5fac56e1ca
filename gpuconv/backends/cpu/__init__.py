"""NumPy arrays: SciPy's compiled loops for small work, loops of our own for the rest. All of it on one screen."""

from gpuconv.backends.cpu import fourier, lines, separable, windows
from gpuconv.backends.registry import Implementation
from gpuconv.core.problem import Problem


def _always(problem: Problem) -> str | None:
    return None


TABLE = {
    "correlate_axis": Implementation(lines.correlate_axis, _always),
    "correlate_separable": Implementation(separable.correlate_separable, _always),
    "correlate_windows": Implementation(windows.correlate_windows, _always),
    "correlate_fourier": Implementation(fourier.correlate_fourier, _always),
}
