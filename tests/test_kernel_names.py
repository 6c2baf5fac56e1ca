"""The kernel zoo from outside: names, descriptions, the page that lists them, and what each refuses."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from gpuconv import kernels
from tests.conftest import ROOT


def test_a_name_has_one_line_of_description_of_its_own():
    lines = [kernels.describe(name) for name in kernels.names()]
    assert len(set(lines)) == len(lines)
    assert all(line.endswith(".") and 20 < len(line) < 100 for line in lines)


def test_get_calls_the_function_of_that_name():
    assert kernels.get("motion", length=3, angle=90).tolist() == kernels.motion(3, angle=90).tolist()


REFUSED = [
    ("get", ("sobell",), {}, ValueError, "kernels have the names identity, .*: got 'sobell'. The nearest is 'sobel'."),
    ("get", ("",), {}, ValueError, "got ''. Choose a name from the list."),
    ("get", (3,), {}, ValueError, "got 3. Choose a name from the list."),
    ("get", ("sobel",), {"sigma": 2}, TypeError, "parameters of sobel are axis, ndim, scale: got sigma. Choose"),
    ("describe", ("mean",), {}, ValueError, "kernels have the names .*: got 'mean'"),
    ("identity", (4,), {}, ValueError, "size must be odd, for the kernel to have a centre: got 4. Give 3 or 5."),
    ("box", (0,), {}, ValueError, "size must be at least 1: got 0. Give 1 or more."),
    ("box", (2.0,), {}, TypeError, "size must be an integer: got 2.0"),
    ("box", ((3, 3),), {"ndim": 3}, ValueError, r"one per convolved axis \(3\): got 2 entries"),
    ("box", (20000,), {}, ValueError, "at most 134217728 weights: shape .* makes 4e.08. Make it smaller"),
    ("box", ((),), {}, ValueError, "ndim must be at least 1: got 0"),
    ("sobel", (), {"ndim": 33}, ValueError, "ndim must be at most 32: got 33. Give fewer axes."),
    ("sobel", (), {"ndim": 32}, ValueError, "at most 134217728 weights: shape"),
    ("sobel", (2,), {}, ValueError, r"axes must lie in \[-2, 2\) for an array of 2 dimensions: got axes=2"),
    ("sobel", (True,), {}, TypeError, "axis must be an integer: got True"),
    ("prewitt", (), {"scale": "half"}, ValueError, "scale must be one of 'integer', 'unit': got 'half'"),
    ("roberts", (2,), {}, ValueError, "axes must lie in"),
    ("roberts", (), {"scale": 1}, ValueError, "scale must be one of 'integer', 'unit': got 1"),
    ("laplacian", (), {"neighbours": 6}, ValueError, "in 2 dimensions must be 'faces' or 4, 'all' or 8: got 6"),
    ("laplacian", (), {"neighbours": True}, ValueError, "'all' or 8: got True. Choose one of them."),
    ("laplacian", (), {"neighbours": [4]}, ValueError, "'all' or 8: got .4.. Choose one of them."),
    ("laplacian", (), {"ndim": 20}, ValueError, "at most 134217728 weights"),
    ("edge", (), {"ndim": 0}, ValueError, "ndim must be at least 1: got 0"),
    ("disk", (-1,), {}, ValueError, "radius must not be negative: got -1. Give zero or a positive number."),
    ("disk", (1e308,), {"ndim": 3}, ValueError, "radius=1e.308 in 3 dimensions makes more than 1e300"),
    ("motion", (8,), {}, ValueError, "length must be odd, for the kernel to have a centre: got 8. Give 7 or 9."),
    ("motion", (10**9 + 1,), {}, ValueError, "at most 134217728 weights: length=1000000001 makes 1e.18"),
    ("motion", (3,), {"angle": np.nan}, ValueError, "angle must be a finite number: got nan"),
    ("gaussian", ((1, 2),), {"order": (1, 0, 0)}, ValueError, r"one per convolved axis \(2\): got 3 entries, order="),
    ("gaussian", ((1, 2),), {"ndim": 3}, ValueError, r"one per convolved axis \(3\): got 2 entries, sigma="),
    ("gaussian", (1e5,), {}, ValueError, "at most 134217728 weights: shape"),
    ("laplacian_of_gaussian", (0,), {}, ValueError, "derivative of order 2 needs a larger sigma: got sigma=0.0"),
    ("difference_of_gaussians", (), {"ratio": 1}, ValueError, "ratio must be above 1: got 1.0. Give the ratio"),
    ("gabor", (0,), {}, ValueError, "wavelength must be positive: got 0. Give a number above zero."),
    ("gabor", (), {"aspect": -1}, ValueError, "aspect must be positive: got -1"),
    ("gabor", (), {"part": "abs"}, ValueError, "part must be one of 'real', 'imaginary', 'complex': got 'abs'"),
    ("gabor", (1e300,), {"aspect": 1e-300}, ValueError, "at most 134217728 weights: wavelength=1e.300"),
    ("sharpen", ("much",), {}, TypeError, "amount must be a real number: got 'much' of type str. Give an int"),
    ("sharpen", (True,), {}, TypeError, "amount must be a real number: got True of type bool"),
    ("sharpen", (10**400,), {}, ValueError, "amount must be a finite number: got 10000"),
    ("unsharp", (), {"amount": 1j}, TypeError, "amount must be a real number: got 1j of type complex"),
    ("emboss", (np.inf,), {}, ValueError, "depth must be a finite number: got inf"),
]  # fmt: skip


@pytest.mark.parametrize("name, given, options, error, message", REFUSED)
def test_wrong_parameters_are_refused_with_the_remedy(name, given, options, error, message):
    with pytest.raises(error, match=message):
        getattr(kernels, name)(*given, **options)


def test_every_kernel_refuses_something():
    quiet = {"prewitt", "scharr"}  # read by the reader of sobel
    assert set(kernels.names()) - quiet <= {name for name, *_ in REFUSED}


PAGE = ROOT / "docs" / "kernels.md"


def table_of_kernels():
    """The table of docs/kernels.md, from signatures, docstrings and the weights themselves."""
    lines = ["| kernel | formula | weights | sum | what it does |", "|---|---|---|---|---|"]
    for name in kernels.names():
        kernel = kernels.get(name)
        text = inspect.getdoc(getattr(kernels, name))
        formula = " ".join(text.split("\n\n")[1].split()).replace("``", "`").rstrip(".")
        size = " × ".join(map(str, kernel.shape))
        total = f"{round(float(kernel.sum()), 12) + 0.0:.3g}"  # + 0.0: no negative zero
        lines.append(f"| `{_call(name)}` | {formula} | {size} {kernel.dtype} | {total} | {kernels.describe(name)} |")
    return "\n".join(lines)


def _call(name):
    """The signature without its types."""
    signature = inspect.signature(getattr(kernels, name))
    plain = []
    for parameter in signature.parameters.values():
        default = getattr(parameter.default, "__name__", None)
        shown = f"numpy.{default}" if default else repr(parameter.default)
        star = ["*"] if parameter.kind is parameter.KEYWORD_ONLY and "*" not in plain else []
        plain += [*star, f"{parameter.name}={shown}"]
    return f"{name}({', '.join(plain)})"


def test_the_table_of_the_page_is_what_the_code_says():
    table = table_of_kernels()
    assert table.count("\n") == len(kernels.names()) + 1
    assert f"\n\n{table}\n\n" in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE.name}:\n\n{table}"


def test_a_table_cell_never_breaks_the_table():
    assert all(line.count("|") == 6 for line in table_of_kernels().splitlines())
