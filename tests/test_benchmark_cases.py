"""The cases of the benchmarks, their reference, and the peers that take part."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import bench_convolutions, bench_methods, cases, convolution_cases, libraries, peers
from benchmarks.cases import CASES, Work
from benchmarks.harness import why_wrong
from benchmarks.settings import Settings


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


def _by_loops(x, kernel, axes, boundary):
    """``y[i] = sum_m kernel[m] x~[(K - 1)//2 + i - m]``, one sample after another."""
    shape = [1] * x.ndim
    for axis, taps in zip(axes, kernel.shape, strict=True):
        shape[axis] = taps
    weights = kernel.reshape(shape)
    result = np.zeros(x.shape, np.float64)
    for index in np.ndindex(*x.shape):
        for m in np.ndindex(*shape):
            source = [
                _source(i + (taps - 1) // 2 - offset, size, boundary)
                for i, offset, taps, size in zip(index, m, shape, x.shape, strict=True)
            ]
            if None not in source:
                result[index] += float(weights[m]) * float(x[tuple(source)])
    return result


def _source(position, size, boundary):
    if 0 <= position < size:
        return position
    if boundary == "constant":
        return None
    if boundary == "nearest":
        return min(max(position, 0), size - 1)
    if boundary == "wrap":
        return position % size
    # One step at a time: turned back at the end, with the last sample twice (reflect) or once (mirror).
    again = 1 if boundary == "reflect" else 0
    while not 0 <= position < size:
        position = -position - again if position < 0 else 2 * (size - 1) - position + again
    return position


SMALL = [
    Work((9,), (5,)),
    Work((9,), (4,), boundary="wrap"),
    Work((6, 7), (3, 5), boundary="reflect"),
    Work((6, 7), (2, 3), boundary="mirror"),
    Work((6, 7), (3, 3), boundary="nearest", outer=True),
    Work((4, 5, 6), (3, 3, 2), boundary="constant"),
    Work((3, 8), (5,), axes=(1,), boundary="mirror"),
    Work((5, 6, 3), (3, 3), dtype="uint8", axes=(0, 1), boundary="nearest"),
    Work((5, 6), (3, 3), dtype="uint8", boundary="mirror", outer=True, smooth=True),
]


@pytest.mark.parametrize("stand_in", [False, True])
@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_the_reference_is_the_definition(work, stand_in, monkeypatch):
    if stand_in:
        monkeypatch.setattr(cases, "SUMMED_UP_TO", 0)
    data = cases.make_data(work)
    expected = _by_loops(data.x, data.kernel, work.convolved, work.boundary)
    np.testing.assert_allclose(cases.definition(work, data), expected, rtol=0, atol=1e-13 * 9**3)


def test_a_stand_in_that_is_not_the_definition_is_refused(monkeypatch):
    monkeypatch.setattr(cases, "SUMMED_UP_TO", 0)
    import scipy.signal

    original = scipy.signal.oaconvolve
    monkeypatch.setattr(scipy.signal, "oaconvolve", lambda *args, **options: np.roll(original(*args, **options), 1))
    work = Work((64,), (5,))
    with pytest.raises(AssertionError, match="the float64 reference is off by"):
        cases.definition(work, cases.make_data(work))


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_the_tolerance_rejects_a_result_shifted_by_one_sample(work):
    data = cases.make_data(work)
    expected = cases.definition(work, data)
    assert why_wrong(np.roll(expected, 1), expected, cases.tolerance(work, data)) is not None
    assert why_wrong(expected.astype(np.float32), expected, cases.tolerance(work, data)) is None


PEER_WORKS = [
    replace(work, boundary=boundary)
    for work, boundary in product(
        (
            Work((40,), (7,)),
            Work((40,), (7,), dtype="float64"),
            Work((20, 24), (5, 3)),
            Work((20, 24), (5, 3), outer=True),
            Work((20, 24), (7, 5), outer=True, equal=True),
            Work((20, 24), (7,), axes=(1,), outer=True, equal=True),
            Work((20, 24), (13, 13)),
            Work((5, 24), (7,), axes=(1,)),
            Work((9, 10, 12), (3, 3, 5)),
            Work((20, 24), (3, 5), dtype="uint8"),
            Work((20, 24, 3), (3, 5), dtype="uint8", axes=(0, 1)),
            Work((20, 24), (3, 5), dtype="uint8", smooth=True, result="uint8"),
            Work((20, 24), (3, 5), dtype="uint8", smooth=True, result="float32"),
            Work((20, 24), (3, 5), dtype="uint8", outer=True, smooth=True, result="uint8"),
        ),
        ("constant", "reflect", "mirror", "nearest", "wrap"),
    )
]


@pytest.mark.parametrize("work", PEER_WORKS, ids=lambda work: work.name)
def test_gpuconv_and_every_peer_that_takes_part_meet_the_definition(work, numpy_library):
    settings = Settings(peers.GROUPS, patience=0.01)
    statuses = {row["name"]: row for row in bench_convolutions.run_work(work, numpy_library, settings)["contenders"]}
    assert statuses["gpuconv"]["status"] == "timed"
    for name, row in statuses.items():
        assert row["status"] in ("timed", "absent", "left out"), (name, row)
    assert [name for name in statuses if name.startswith("scipy")] == [
        peer.name for peer in peers.PEERS if peer.group == "scipy"
    ]


def test_every_peer_takes_part_in_a_case():
    for peer in peers.PEERS:
        assert [work for work in (*CASES, *convolution_cases.CUDA) if peer.why_not(work) is None], peer.name


@pytest.mark.parametrize("work", [work for work in PEER_WORKS if work.equal], ids=lambda work: work.name)
def test_the_uniform_filter_that_equal_taps_are_held_to_meets_the_definition(work):
    data = cases.make_data(work)
    result = peers._uniform(ndimage, work, data)()
    np.testing.assert_allclose(result, cases.expected(work, data), rtol=0, atol=cases.tolerance(work, data))


def test_a_peer_that_is_not_installed_is_absent_with_its_reason(numpy_library, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(peers.importlib, "import_module", missing)
    work = Work((20, 24), (5, 3))
    found = peers.contenders(work, cases.make_data(work), numpy_library, ("opencv", "torch"))
    assert [(contender.name, contender.status, contender.reason) for contender in found] == [
        ("torch.nn.functional.conv", "absent", "torch is not installed"),
        ("OpenCV filter2D", "absent", "cv2 is not installed"),
    ]


def test_a_peer_whose_own_imports_fail_is_broken_not_absent(numpy_library, monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'libc_of_cv2'", name="libc_of_cv2")

    monkeypatch.setattr(peers.importlib, "import_module", broken)
    work = Work((20, 24), (5, 3))
    with pytest.raises(ModuleNotFoundError, match="libc_of_cv2"):
        peers.contenders(work, cases.make_data(work), numpy_library, ("opencv",))


def test_slow_peers_are_left_out_with_the_reason(numpy_library):
    work = Work((1024, 1024), (63, 63))
    (reason,) = (
        contender.reason
        for contender in peers.contenders(work, SimpleNamespace(x=None), numpy_library, ("torch",))
        if contender.status == "left out"
    )
    assert reason == "4.2e+09 multiply-adds, one by one, would take seconds"


def test_cases_have_names_of_their_own_and_quick_ones_are_fewer(numpy_library):
    assert len({work.name for work in CASES}) == len(CASES)
    quick = bench_methods.selected(numpy_library, Settings(peers.GROUPS, quick=True))
    assert 0 < len(quick) < len(CASES)
    elsewhere = replace(numpy_library, name="jax")
    assert bench_methods.selected(elsewhere, Settings(peers.GROUPS)) == [work for work in CASES if work.everywhere]


def test_convolutions_of_a_subject_have_names_of_their_own_and_some_are_quick():
    for works in (
        convolution_cases.LINES,
        convolution_cases.SEPARABLE,
        convolution_cases.DENSE,
        convolution_cases.BYTES,
    ):
        assert len({work.name for work in works}) == len(works)
        assert 0 < sum(work.quick for work in works) < len(works)


def test_a_result_of_bytes_may_be_off_by_the_rounding_and_no_more():
    work = Work((20, 24), (3, 5), dtype="uint8", smooth=True, result="uint8")
    data = cases.make_data(work)
    exact = cases.expected(work, data)
    assert 0 <= exact.min() <= exact.max() <= 255
    allowed = cases.tolerance(work, data)
    assert why_wrong(np.rint(exact).astype(np.uint8), exact, allowed) is None
    assert why_wrong(np.trunc(exact).astype(np.uint8), exact, allowed) is not None
