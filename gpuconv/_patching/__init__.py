"""Puts gpuconv's functions into programs that call SciPy's."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any, NoReturn

from gpuconv._patching import _libraries, _switches
from gpuconv._patching._libraries import Loaded
from gpuconv._patching._switches import Scope, Switch
from gpuconv.core.arguments import read_choice, refusal

__all__ = ["Patch", "patch"]

# Their modules call each other through the names that would be replaced.
_CLOSED = ("cupyx", "gpuconv", "scipy")


def patch(*libraries: str, modules: Sequence[str] = (), everywhere: bool = False) -> Patch:
    """Put gpuconv's functions in the place of SciPy's, for a block or for good.

    In ``with gpuconv.patch("scipy"):`` the names of `scipy.ndimage` and `scipy.signal` that `gpuconv.ndimage` and
    `gpuconv.signal` have are ours: for calls of this thread or asyncio task, and of tasks it starts. Without
    ``with`` the same holds for all calls of this thread, until ``undo()``. Other threads see SciPy. A patch that was
    put in place for good and is then used with ``with`` ends where that block ends, also with `everywhere`.

    Parameters
    ----------
    *libraries : {"scipy", "cupyx", "dask_image"}
        "scipy" is scipy.ndimage and scipy.signal, "cupyx" the same of cupyx.scipy, "dask_image" the convolutions of
        dask_image.ndfilters. A library that is not there is skipped, and ``print(patch)`` says so.
    modules : sequence of str
        Prefixes of other modules, such as "skimage": names in those already loaded that *are* a replaced function,
        because the module said ``from scipy.ndimage import gaussian_filter``, are replaced as well.
    everywhere : bool
        Reach the calls of all threads.

    Returns
    -------
    Patch
        Usable with ``with``; printable; ``undo()`` ends it.

    Raises
    ------
    ValueError
        If no library is named or one is unknown, or `modules` names SciPy, cupyx, gpuconv or nothing.
    TypeError
        If `modules` is no sequence of strings, or `everywhere` is neither True nor False.

    Examples
    --------
    >>> import gpuconv
    >>> import scipy.ndimage
    >>> with gpuconv.patch("scipy"):
    ...     print(scipy.ndimage.sobel([0.0, 0.0, 1.0, 1.0]).tolist())
    [0.0, 1.0, 1.0, 0.0]
    >>> patched = gpuconv.patch("scipy", modules=("skimage",))
    >>> patched.is_active
    True
    >>> patched.undo()
    """
    if not libraries:
        names = ", ".join(repr(name) for name in _libraries.PARTS)
        raise ValueError(refusal("patch needs the name of a library", "got none", f"Give one or more of {names}"))
    chosen = tuple(dict.fromkeys(read_choice("library", name, _libraries.PARTS) for name in libraries))
    patched = Patch(chosen, _read_prefixes(modules), _read_everywhere(everywhere))
    patched._begin()
    patched._scope.open_in_thread()
    return patched


class Patch:
    """What `gpuconv.patch` has put in place: prints what was replaced, what was not and why; ends by ``undo()``.

    Attributes
    ----------
    libraries : tuple of str
        Those given to `patch`.
    replaced : tuple of str
        Dotted names where a function of gpuconv's stands beside the original.
    skipped : tuple of str
        A sentence for each library or name that was left alone.

    Examples
    --------
    >>> import gpuconv
    >>> with gpuconv.patch("scipy") as patched:
    ...     print("scipy.ndimage.gaussian_filter" in patched.replaced)
    True
    >>> print(patched)
    gpuconv.patch('scipy'): undone
    """

    def __init__(self, libraries: tuple[str, ...], modules: tuple[str, ...], everywhere: bool) -> None:
        self.libraries = libraries
        self.replaced: tuple[str, ...] = ()
        self.skipped: tuple[str, ...] = ()
        self._modules = modules
        self._scope = Scope(frozenset(libraries), everywhere)
        self._blocks = 0
        self._live = False

    @property
    def is_active(self) -> bool:
        """Whether a call made here and now goes to gpuconv."""
        return self._live and self._scope.reaches_here()

    def undo(self) -> None:
        """End the patch wherever it reaches. Patches may end in any order; ending one twice does nothing."""
        _warn_of(self._end())

    def __enter__(self) -> Patch:
        if not self._live:
            self._begin()
        with _changing:
            self._scope.enter_context()
            self._blocks += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _changing:
            self._scope.leave_context()
            self._blocks -= 1
            lost = self._end() if self._blocks <= 0 else []
        # Where warnings are errors, this one must not take the place of what went wrong in the block.
        with contextlib.suppress(RuntimeWarning) if error is not None else contextlib.nullcontext():
            _warn_of(lost)

    def _end(self) -> list[str]:
        """Give all names back; those that hold something else by now."""
        with _changing:
            if not self._live:
                return []
            self._live = False
            _switches.end(self._scope)
            return _restore(self)

    def __reduce__(self) -> NoReturn:
        rule = "a patch cannot be copied or pickled, as it belongs to the threads of its process"
        raise TypeError(refusal(rule, f"got {self!r}", "Call gpuconv.patch where the functions are to be replaced"))

    def __repr__(self) -> str:
        options = [repr(name) for name in self.libraries]
        options += [f"modules={self._modules!r}"] if self._modules else []
        options += ["everywhere=True"] if self._scope.everywhere else []
        return f"gpuconv.patch({', '.join(options)})"

    def __str__(self) -> str:
        if not self._live:
            return f"{self!r}: undone"
        reach = "active here" if self.is_active else "not active here: it belongs to another thread or task"
        by_module: dict[str, list[str]] = {}
        for dotted in self.replaced:
            module, _, name = dotted.rpartition(".")
            by_module.setdefault(module, []).append(name)
        lines = [f"{module}: {', '.join(names)}" for module, names in by_module.items()]
        lines += [f"not replaced: {sentence}" for sentence in self.skipped]
        wrapped = [textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="    ") for line in lines]
        return "\n".join([f"{self!r}: {reach}", *wrapped])

    def _begin(self) -> None:
        # Importing waits for the import lock, and so must not keep others waiting for ours.
        loaded = [_libraries.load(name, part) for name in self.libraries for part in _libraries.PARTS[name]]
        with _changing:
            if self._live:  # another thread has been faster
                return
            try:
                self.replaced, self.skipped = _replace(self, loaded)
            except BaseException:
                _restore(self)
                raise
            self._scope = Scope(self._scope.libraries, self._scope.everywhere)
            self._blocks, self._live = 0, True
            _switches.begin(self._scope)


def _read_prefixes(modules: Any) -> tuple[str, ...]:
    rule = "modules must be a sequence of names"
    if isinstance(modules, str):
        raise TypeError(refusal(rule, f"got {modules!r}", f"Write modules=({modules!r},)"))
    if not isinstance(modules, Iterable):
        raise TypeError(refusal(rule, f"got {modules!r}", 'Write modules=("skimage",), or leave it out'))
    names = tuple(modules)
    for name in names:
        if not isinstance(name, str) or not name:
            error = ValueError if name == "" else TypeError
            raise error(refusal(rule, f"got {name!r} among them", 'Give names of modules, such as "skimage"'))
        if name.partition(".")[0] in _CLOSED:
            closed = "modules cannot name SciPy, cupyx or gpuconv, whose functions call each other by these names"
            raise ValueError(refusal(closed, f"got {name!r}", "Name the modules that import from them"))
    return names


def _read_everywhere(everywhere: Any) -> bool:
    if not isinstance(everywhere, bool):
        given = f"got {everywhere!r} of type {type(everywhere).__name__}"
        raise TypeError(refusal("everywhere must be True or False", given, "Give one of them"))
    return everywhere


# What stands where. A place may be held by several patches, and is given back when the last one lets go of it.


@dataclass
class _Place:
    switch: Switch
    found: Any
    holders: set[Patch] = field(default_factory=set)


_changing = threading.RLock()
_places: dict[tuple[ModuleType, str], _Place] = {}
# One switch for each original, by its id, for ever: what was bound while a patch was alive obeys the next one.
_switch_of: dict[int, Switch] = {}


def _replace(patch: Patch, loaded: list[Loaded]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put switches in place; the dotted names, and a sentence for each thing that was left alone."""
    replaced: list[str] = []
    skipped: list[str] = []
    switches: dict[int, Switch] = {}
    for one in loaded:
        if one.module is None:
            skipped.append(one.reason)
            continue
        lacking = []
        for name, ours in _libraries.replacements(one):
            if ours is None:
                lacking.append(name)
                continue
            switch = _switch_for(getattr(one.module, name), ours, one.library, (one.part.module, name))
            switches[id(switch.__wrapped__)] = switch
            _put(patch, one.module, name, switch)
            replaced.append(f"{one.part.module}.{name}")
        if lacking:
            skipped.append(f"{one.part.module} has no {', '.join(lacking)}.")
    own = tuple(one.part.own for one in loaded if one.module is not None and one.part.own)
    for prefix in dict.fromkeys(own + patch._modules):
        found = _bound_early(patch, prefix, switches)
        for module, name, switch in found:
            _put(patch, module, name, switch)
            replaced.append(f"{module.__name__}.{name}")
        if not found and prefix not in own:
            skipped.append(f"no loaded module of {prefix} holds one of these functions under a name of its own.")
    return tuple(replaced), tuple(skipped)


def _switch_for(found: Any, ours: Callable[..., Any], library: str, place: tuple[str, str]) -> Switch:
    if isinstance(found, Switch):
        return found
    return _switch_of.setdefault(id(found), Switch(found, ours, library, place))


def _put(patch: Patch, module: ModuleType, name: str, switch: Switch) -> None:
    found = getattr(module, name)
    if found is not switch:
        setattr(module, name, switch)
        _places[module, name] = _Place(switch, found)
    if (module, name) in _places:
        _places[module, name].holders.add(patch)


def _bound_early(patch: Patch, prefix: str, switches: dict[int, Switch]) -> list[tuple[ModuleType, str, Switch]]:
    """Where loaded modules of that prefix hold an original, or a switch that another patch put there."""
    found = {}
    loaded: list[tuple[str, Any]] = list(sys.modules.items())
    for module_name, module in loaded:
        if not isinstance(module, ModuleType) or not f"{module_name}.".startswith(f"{prefix}."):
            continue
        for name, value in list(vars(module).items()):
            place = _places.get((module, name))
            if place is not None and patch in place.holders:
                continue
            original = value.__wrapped__ if isinstance(value, Switch) else value
            if id(original) in switches:
                found[module, name] = switches[id(original)]
    return [(module, name, switch) for (module, name), switch in found.items()]


def _restore(patch: Patch) -> list[str]:
    """Give back the names that nobody else holds; those where something else was put meanwhile."""
    lost = []
    for (module, name), place in list(_places.items()):
        place.holders.discard(patch)
        if place.holders:
            continue
        del _places[module, name]
        if vars(module).get(name) is place.switch:
            setattr(module, name, place.found)
        else:
            lost.append(f"{module.__name__}.{name}")
    return lost


def _warn_of(lost: list[str]) -> None:
    if lost:
        names = ", ".join(lost)
        text = f"gpuconv.patch leaves {names} as it is: something else was put there meanwhile."
        warnings.warn(text, RuntimeWarning, stacklevel=3)
