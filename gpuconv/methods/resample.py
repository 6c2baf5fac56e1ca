"""Changes of the sampling rate: poses the problem, and has a backend run it."""

from __future__ import annotations

from typing import Any

from gpuconv.backends import registry
from gpuconv.backends.generic.polyphase import Rates
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import DtypeRule
from gpuconv.core.namespace import chunks_of, dtype_name, has_double, home_of
from gpuconv.core.problem import KernelFacts, Problem

__all__ = ["Rates", "resample"]


def resample(x: Any, taps: Any, rates: Rates) -> Any:
    """``y[n] = sum_q taps[offset + n down - q up] x~[q]`` along an axis.

    Parameters
    ----------
    x : array
        ``x~[first : first + length]`` along ``rates.axis``, in the floating dtype of the result.
    taps : array, one dimension
        Of the same dtype; a NumPy array, or of the library of `x` if its values are not to be read.
    rates : Rates

    Returns
    -------
    array
        ``rates.count`` samples on the axis.
    """
    home, name = home_of(x), dtype_name(x.dtype)
    span = Span(rates.axis, rates.length, rates.depth, 0, rates.length - rates.depth + 1, "constant")
    facts = KernelFacts((rates.depth,), dtype_name(taps.dtype), "host")
    problem = Problem(
        home.library,
        str(home.device),
        home.traced,
        tuple(x.shape),
        name,
        facts,
        DtypeRule(name, name),
        (span,),
        "norm",
        chunks_of(x, home),
        has_double(home),
    )
    return registry.select("resample_axis", problem)(x, taps, rates)
