"""NumPy arrays: SciPy's compiled loops for small work, loops of our own for the rest. All of it on one screen."""

from gpuconv.backends.cpu import (
    channels,
    fourier,
    lines,
    polyphase,
    recurrence,
    separable,
    stencil,
    transforms,
    tridiagonal,
    windows,
)
from gpuconv.backends.registry import Implementation
from gpuconv.core.problem import Problem


def _always(problem: Problem) -> str | None:
    return None


TABLE = {
    "correlate_axis": Implementation(lines.correlate_axis, _always, native=True, prepare=lines.prepare),
    "correlate_separable": Implementation(
        separable.correlate_separable, _always, native=True, prepare=separable.prepare
    ),
    "correlate_windows": Implementation(windows.correlate_windows, _always, native=True, prepare=windows.prepare),
    "correlate_fourier": Implementation(fourier.correlate_fourier, _always),
    "correlate_channels": Implementation(channels.correlate_channels, channels.why_not),
    "channels_input_adjoint": Implementation(channels.channels_input_adjoint, channels.why_not),
    "channels_weight_adjoint": Implementation(channels.channels_weight_adjoint, channels.why_not),
    "resample_axis": Implementation(polyphase.resample_axis, _always),
    "fourier_forward": Implementation(transforms.fourier_forward, _always),
    "fourier_inverse": Implementation(transforms.fourier_inverse, _always),
    "cosine_transform": Implementation(transforms.cosine_transform, _always),
    "linear_recurrence": Implementation(recurrence.linear_recurrence, _always),
    "solve_tridiagonal": Implementation(tridiagonal.solve_tridiagonal, _always),
    "diffusion_rate": Implementation(stencil.diffusion_rate, stencil.why_not),
    "diffuse_steps": Implementation(stencil.diffuse_steps, stencil.why_not),
}
