"""`gpuconv.patch`: where calls go, what is put back, and what print says. Pipelines are in test_patch_pipelines.py."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import importlib.util
import inspect
import pickle
import sys
import threading
import types
import warnings

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

import gpuconv
import gpuconv.ndimage
import gpuconv.signal
from tests.assertions import assert_close, assert_same_home
from tests.libraries import make

LINE = np.array([0.0, 0.0, 1.0, 1.0, 3.0])
TAPS = [1.0, 2.0, 1.0]


@pytest.fixture
def calls(monkeypatch):
    """The names of gpuconv's functions in the order they were called through a patch."""
    noted = []

    def recording(name, function):
        @functools.wraps(function)
        def recorded(*args, **kwargs):
            noted.append(name)
            return function(*args, **kwargs)

        return recorded

    for module in (gpuconv.ndimage, gpuconv.signal):
        for name in module.__all__:
            monkeypatch.setattr(module, name, recording(name, getattr(module, name)))
    return noted


@pytest.fixture(autouse=True)
def _everything_is_put_back():
    modules = (scipy.ndimage, scipy.signal)
    before = [dict(vars(module)) for module in modules]
    yield
    for module, names in zip(modules, before, strict=True):
        assert {name: value for name, value in vars(module).items() if names.get(name) is not value} == {}


def in_new_thread(function):
    """What `function` gives in a thread of its own."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def goes_to_gpuconv(calls, call=lambda: scipy.ndimage.correlate1d(LINE, TAPS)):
    before = len(calls)
    call()
    return len(calls) > before


@pytest.mark.parametrize("part", ["ndimage", "signal"])
def test_every_name_both_have_is_replaced_and_put_back(part):
    theirs, ours = getattr(scipy, part), getattr(gpuconv, part)
    originals = {name: getattr(theirs, name) for name in ours.__all__ if hasattr(theirs, name)}
    assert len(originals) >= 8
    with gpuconv.patch("scipy") as patched:
        for name, original in originals.items():
            switch = getattr(theirs, name)
            assert switch is not original
            assert switch.__wrapped__ is original
            assert f"scipy.{part}.{name}" in patched.replaced
    for name, original in originals.items():
        assert getattr(theirs, name) is original


def test_the_users_arrays_of_any_library_are_taken(xp):
    x = make(xp, LINE)
    with gpuconv.patch("scipy"):
        y = scipy.ndimage.correlate1d(x, TAPS)
        z = scipy.signal.fftconvolve(x, make(xp, TAPS), mode="same")
    assert_same_home(y, x)
    assert_same_home(z, x)
    assert_close(y, [0.0, 1.0, 3.0, 6.0, 10.0], taps=3)
    assert_close(z, [0.0, 1.0, 3.0, 6.0, 7.0], taps=3, scale=32.0)


def test_for_good_reaches_this_thread_until_undone(calls):
    patched = gpuconv.patch("scipy")
    assert isinstance(patched, gpuconv.Patch)
    try:
        assert patched.is_active
        assert goes_to_gpuconv(calls)
        # A notebook runs each cell in a context of its own: what one cell patches, the next one sees.
        assert contextvars.Context().run(goes_to_gpuconv, calls)
        # dask and asyncio hand a copy of the context to their threads.
        context = contextvars.copy_context()
        assert in_new_thread(lambda: context.run(goes_to_gpuconv, calls))
        assert not in_new_thread(lambda: goes_to_gpuconv(calls))
    finally:
        patched.undo()
    assert not patched.is_active
    assert not goes_to_gpuconv(calls)
    patched.undo()


def test_for_good_from_within_a_context_lasts_beyond_it(calls):
    patched = contextvars.copy_context().run(gpuconv.patch, "scipy")
    assert goes_to_gpuconv(calls)
    patched.undo()


def test_a_block_reaches_its_context_and_no_other_thread(calls):
    with gpuconv.patch("scipy") as patched:
        assert goes_to_gpuconv(calls)
        assert contextvars.copy_context().run(goes_to_gpuconv, calls)
        assert not contextvars.Context().run(goes_to_gpuconv, calls)
        assert not in_new_thread(lambda: goes_to_gpuconv(calls))
        assert not in_new_thread(lambda: patched.is_active)
    assert not goes_to_gpuconv(calls)


def test_everywhere_reaches_other_threads(calls):
    with gpuconv.patch("scipy", everywhere=True):
        assert in_new_thread(lambda: goes_to_gpuconv(calls))
    assert not in_new_thread(lambda: goes_to_gpuconv(calls))


def test_two_threads_do_not_disturb_each_other(calls):
    both_patched, one_is_done = threading.Barrier(2, timeout=10), threading.Event()
    seen = {}

    def first():
        with gpuconv.patch("scipy"):
            both_patched.wait()
        seen["first, after"] = goes_to_gpuconv(calls)
        one_is_done.set()

    def second():
        with gpuconv.patch("scipy"):
            both_patched.wait()
            one_is_done.wait(10)
            seen["second, inside"] = goes_to_gpuconv(calls)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"first, after": False, "second, inside": True}


def test_one_patch_shared_by_two_threads_ends_for_each_with_its_own_block(calls):
    patched, inside, leave = gpuconv.patch("scipy"), threading.Event(), threading.Event()

    def other():
        with patched:
            inside.set()
            leave.wait(10)

    with patched:
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(10)
    assert not goes_to_gpuconv(calls)
    leave.set()
    thread.join()


def test_tasks_and_their_threads_have_the_meaning_of_contexts(calls):
    async def patched_task(started, go_on):
        with gpuconv.patch("scipy"):
            started.set()
            await go_on.wait()
            return goes_to_gpuconv(calls), await asyncio.to_thread(goes_to_gpuconv, calls)

    async def late_task(go_on):
        await go_on.wait()
        return goes_to_gpuconv(calls)

    async def main():
        started, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(patched_task(started, go_on))
        await started.wait()
        beside = goes_to_gpuconv(calls)
        with gpuconv.patch("scipy"):
            child = asyncio.create_task(late_task(go_on))
        go_on.set()
        return await task, beside, await child

    inside, beside, after_the_block = asyncio.run(main())
    assert inside == (True, True)
    assert not beside
    assert not after_the_block


def test_blocks_nest_and_the_same_patch_may_be_entered_again(calls):
    with gpuconv.patch("scipy") as patched:
        with gpuconv.patch("scipy"), patched:
            assert goes_to_gpuconv(calls)
        assert goes_to_gpuconv(calls)
    assert not goes_to_gpuconv(calls)
    with patched:
        assert goes_to_gpuconv(calls)
    assert not goes_to_gpuconv(calls)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_patches_end_in_any_order(calls, order):
    original = scipy.ndimage.correlate1d
    patches = [gpuconv.patch("scipy"), gpuconv.patch("scipy")]
    patches[order[0]].undo()
    assert goes_to_gpuconv(calls)
    patches[order[1]].undo()
    assert scipy.ndimage.correlate1d is original


def test_an_exception_puts_everything_back(calls):
    with pytest.raises(ZeroDivisionError), gpuconv.patch("scipy"):
        raise ZeroDivisionError
    assert not goes_to_gpuconv(calls)


def test_a_failure_while_patching_puts_everything_back(monkeypatch):
    original = scipy.ndimage.convolve
    broken = types.ModuleType("broken_library")
    broken.__class__ = type("Closed", (types.ModuleType,), {"__setattr__": _refuse_to_be_changed})
    vars(broken)["convolve"] = original
    monkeypatch.setitem(sys.modules, "broken_library", broken)
    with pytest.raises(AttributeError, match="closed"):
        gpuconv.patch("scipy", modules=("broken_library",))
    assert scipy.ndimage.convolve is original


def _refuse_to_be_changed(self, name, value):
    raise AttributeError("closed")


def test_what_others_put_there_meanwhile_is_left_alone():
    original = scipy.ndimage.convolve

    def replaced(*args, **kwargs):
        return "theirs"

    patched = gpuconv.patch("scipy")
    switch = scipy.ndimage.convolve
    scipy.ndimage.convolve = replaced
    with pytest.warns(RuntimeWarning, match=r"leaves scipy\.ndimage\.convolve as it is"):
        patched.undo()
    assert scipy.ndimage.convolve is replaced
    scipy.ndimage.convolve = switch
    assert scipy.ndimage.convolve([1.0, 2.0], [1.0]).tolist() == [1.0, 2.0]
    scipy.ndimage.convolve = original


def test_a_warning_that_is_an_error_comes_when_all_is_put_back(monkeypatch):
    sobel, convolve = scipy.ndimage.sobel, scipy.ndimage.convolve
    with monkeypatch.context() as there, warnings.catch_warnings():
        warnings.simplefilter("error")
        patched = gpuconv.patch("scipy")
        there.setattr(scipy.ndimage, "sobel", len)
        with pytest.raises(RuntimeWarning, match=r"leaves scipy\.ndimage\.sobel as it is"):
            patched.undo()
        assert scipy.ndimage.convolve is convolve
        with pytest.raises(ZeroDivisionError), patched:
            _spoil_and_fail()
        assert scipy.ndimage.convolve is convolve
    scipy.ndimage.sobel = sobel
    with gpuconv.patch("scipy") as later:
        assert later.replaced == patched.replaced
    assert scipy.ndimage.sobel is sobel


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_block_ends_what_was_for_good(calls, everywhere):
    patched = gpuconv.patch("scipy", everywhere=everywhere)
    with patched:
        assert goes_to_gpuconv(calls)
    assert not patched.is_active
    assert not goes_to_gpuconv(calls)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_patch_itself_is_not_copied(duplicate):
    with gpuconv.patch("scipy") as patched, pytest.raises(TypeError, match="cannot be copied or pickled.*Call gpuconv"):
        duplicate(patched)


def test_what_stands_there_is_no_method():
    with gpuconv.patch("scipy"):
        smooth = type("Photo", (), {"smooth": scipy.ndimage.gaussian_filter})().smooth
        assert not inspect.ismethod(smooth)
        assert not inspect.isfunction(smooth)


def _spoil_and_fail():
    scipy.ndimage.sobel = max
    raise ZeroDivisionError


@pytest.fixture
def early(monkeypatch):
    """A loaded module that has bound SciPy's function under names of its own, and one whose name only begins alike."""
    modules = {}
    for name in ("earlybird", "earlybird.inner", "earlybirds"):
        modules[name] = types.ModuleType(name)
        modules[name].smooth = scipy.ndimage.correlate1d
        monkeypatch.setitem(sys.modules, name, modules[name])
    return modules


def test_names_bound_early_are_reached_where_asked(calls, early):
    original = scipy.ndimage.correlate1d
    with gpuconv.patch("scipy"):
        assert not goes_to_gpuconv(calls, lambda: early["earlybird"].smooth(LINE, TAPS))
    with gpuconv.patch("scipy", modules=("earlybird",)) as patched:
        for name in ("earlybird", "earlybird.inner"):
            assert goes_to_gpuconv(calls, lambda: early[name].smooth(LINE, TAPS))  # noqa: B023
            assert f"{name}.smooth" in patched.replaced
        assert early["earlybirds"].smooth is original
    assert all(module.smooth is original for module in early.values())


def test_two_patches_share_a_name_bound_early(calls, early):
    original = scipy.ndimage.correlate1d
    outer = gpuconv.patch("scipy", modules=("earlybird",))
    inner = gpuconv.patch("scipy", modules=("earlybird",))
    outer.undo()
    assert goes_to_gpuconv(calls, lambda: early["earlybird"].smooth(LINE, TAPS))
    inner.undo()
    assert early["earlybird"].smooth is original


def test_what_is_bound_inside_a_block_is_the_original_after_it(calls):
    with gpuconv.patch("scipy"):
        from scipy.ndimage import correlate1d
    assert not goes_to_gpuconv(calls, lambda: correlate1d(LINE, TAPS))
    with gpuconv.patch("scipy"):
        assert goes_to_gpuconv(calls, lambda: correlate1d(LINE, TAPS))
        assert scipy.ndimage.correlate1d is correlate1d


def test_what_stands_there_looks_like_the_original():
    original = scipy.ndimage.gaussian_filter
    with gpuconv.patch("scipy"):
        switch = scipy.ndimage.gaussian_filter
        assert inspect.signature(switch) == inspect.signature(original)
        assert (switch.__name__, switch.__module__, switch.__doc__) == (
            original.__name__,
            original.__module__,
            original.__doc__,
        )
        assert functools.wraps(switch)(lambda: None).__name__ == "gaussian_filter"
        assert pickle.loads(pickle.dumps(switch)) is switch
        assert copy.deepcopy(switch) is switch
        assert repr(switch).startswith("<scipy.ndimage.gaussian_filter, or gpuconv's")
    # A process without the patch, or this one after it, unpickles what stands there.
    assert pickle.loads(pickle.dumps(switch)) is original


def test_our_functions_hand_over_to_scipys_without_going_in_circles(calls):
    booleans = LINE > 0
    with gpuconv.patch("scipy"):
        assert scipy.ndimage.gaussian_filter(booleans, 1).dtype == bool
        assert scipy.ndimage.median_filter(LINE, 3).tolist() == [0.0, 0.0, 1.0, 1.0, 3.0]
        assert scipy.signal.convolve(LINE.astype(object), [1, 2]).tolist() == [0, 0, 1, 3, 5, 6]
        assert scipy.ndimage.generic_laplace(LINE, _second_difference).tolist() == [0.0, 1.0, -1.0, 2.0, -2.0]
    assert calls[0] == "gaussian_filter"
    # Within our generic_laplace, the caller's function sees the patch.
    assert calls[-2:] == ["generic_laplace", "correlate1d"]


def _second_difference(input, axis, output, mode, cval):
    return scipy.ndimage.correlate1d(input, [1.0, -2.0, 1.0], axis, output, mode, cval)


@pytest.mark.parametrize("part", ["scipy.ndimage", "scipy.signal", "cupyx.scipy.ndimage"])
def test_our_functions_take_the_arguments_of_the_originals(part):
    if importlib.util.find_spec(part.partition(".")[0]) is None:
        pytest.skip(f"{part} is not installed")
    ours = importlib.import_module(f"gpuconv.{part.rpartition('.')[2]}")
    with gpuconv.patch(part.partition(".")[0]) as patched:
        names = [name.rpartition(".")[2] for name in patched.replaced if name.rpartition(".")[0] == part]
        originals = {name: getattr(importlib.import_module(part), name).__wrapped__ for name in names}
    assert len(originals) >= 8
    for name, original in originals.items():
        if inspect.isbuiltin(original):  # compiled, and does not say
            continue
        theirs = inspect.signature(original).parameters
        known = inspect.signature(getattr(ours, name)).parameters
        assert set(theirs) <= set(known), name
        for argument, parameter in theirs.items():
            assert known[argument].default == parameter.default, f"{name}({argument}=...)"


def test_cupyx_is_replaced_too_and_takes_by_position_what_scipy_takes_by_name(calls):
    pytest.importorskip("cupyx", reason="CuPy is not installed")
    image = np.arange(12.0).reshape(3, 4)
    with gpuconv.patch("cupyx") as patched:
        from cupyx.scipy.ndimage import uniform_filter

        # On a machine without a GPU, too, a pipeline written for cupyx runs on NumPy arrays.
        y = uniform_filter(image, 3, None, "nearest", 0.0, 0, (1,))
        assert not goes_to_gpuconv(calls)
    assert "cupyx.scipy.ndimage.uniform_filter" in patched.replaced
    assert calls == ["uniform_filter"]
    assert_close(y, scipy.ndimage.uniform_filter1d(image, 3, axis=1, mode="nearest"), taps=3)


def test_print_says_what_was_replaced_and_what_not_and_why(monkeypatch, early):
    from gpuconv._patching import _libraries

    absent = (_libraries.Part("absent_library.ndimage", "gpuconv.ndimage"),)
    monkeypatch.setitem(_libraries.PARTS, "absent_library", absent)
    monkeypatch.setitem(_libraries._PIP, "absent_library", "absent-library")
    monkeypatch.delattr(scipy.ndimage, "sobel")
    patched = gpuconv.patch("scipy", "absent_library", modules=("earlybird", "never_loaded"))
    text = " ".join(str(patched).split())
    assert text.startswith(
        "gpuconv.patch('scipy', 'absent_library', modules=('earlybird', 'never_loaded')): active here"
    )
    assert "scipy.ndimage: convolve, convolve1d, " in text
    assert "earlybird.inner: smooth" in text
    assert "absent_library.ndimage is not installed. To have it: pip install absent-library." in text
    assert "not replaced: scipy.ndimage has no sobel." in text
    assert "no loaded module of never_loaded holds one of these functions" in text
    assert "not active here: it belongs to another thread or task" in in_new_thread(lambda: str(patched))
    patched.undo()
    assert str(patched).endswith(": undone")


def test_a_library_that_cannot_be_imported_is_a_sentence(monkeypatch):
    from gpuconv._patching import _libraries

    def fail(name):
        if name.startswith("cupyx"):
            raise RuntimeError("=====\nno driver here.\nmore")
        return importlib.import_module(name)

    monkeypatch.setattr(_libraries, "importlib", types.SimpleNamespace(import_module=fail))
    with gpuconv.patch("cupyx") as patched:
        assert patched.skipped[0] == "cupyx.scipy.ndimage cannot be imported: no driver here."


@pytest.mark.parametrize(
    ("libraries", "options", "error", "message"),
    [
        ((), {}, ValueError, "patch needs the name of a library: got none"),
        (("numpy",), {}, ValueError, "library must be one of 'scipy', 'cupyx', 'dask_image': got 'numpy'"),
        (("scipy",), {"modules": "skimage"}, TypeError, r"got 'skimage'. Write modules=\('skimage',\)"),
        (("scipy",), {"modules": ("scipy.signal",)}, ValueError, "modules cannot name SciPy.*: got 'scipy.signal'"),
        (("scipy",), {"modules": ("skimage", "")}, ValueError, "modules must be a sequence of names: got '' among"),
        (("scipy",), {"modules": (1,)}, TypeError, "modules must be a sequence of names: got 1 among them"),
        (("scipy",), {"modules": None}, TypeError, "modules must be a sequence of names: got None. Write"),
        (("scipy",), {"everywhere": "no"}, TypeError, "everywhere must be True or False: got 'no' of type str"),
    ],
)
def test_wrong_arguments_are_refused(libraries, options, error, message):
    with pytest.raises(error, match=message):
        gpuconv.patch(*libraries, **options)
