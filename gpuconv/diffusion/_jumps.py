"""Walkers on cells: the chain of jumps whose mean is the finite-volume operator of `evolve`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.namespace import Home, bring_home, cast, has_double, home_of
from gpuconv.diffusion._fluxes import assemble
from gpuconv.diffusion._philox import Stream, thresholds, word_dtype
from gpuconv.diffusion._posing import Arguments, pose
from gpuconv.diffusion._walls import Walls, read_timeline

MOST_JUMPS = 10**6
# Of the Poisson distribution: what a word of 32 bits cannot draw.
_TAIL = 2.0**-34


@dataclass(frozen=True)
class Chain:
    """Jumps between the cells of a grid, counted along the last axis first.

    Attributes
    ----------
    shape, spacing
        Of the grid.
    rates : array (cells, ways)
        How often a walker leaves a cell each way, per time.
    targets : array (cells, ways)
        Where to.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    rates: np.ndarray
    targets: np.ndarray

    @property
    def fastest(self) -> float:
        """The largest rate at which any cell is left."""
        return float(self.rates.sum(axis=1).max(initial=0.0))


@dataclass(frozen=True)
class Jumps:
    """A chain ready to be drawn from: what a word below each limit does, and how many jumps walkers make."""

    chain: Chain
    limits: np.ndarray
    rounds: int
    counts: np.ndarray | None


def read_chain(
    shape: tuple[int, ...], diffusivity: Any, velocity: Any, spacing: Any, boundary: Any, walls: Any
) -> Chain:
    """The chain of jumps for the arguments of `evolve`."""
    nothing = np.zeros(shape)
    home = home_of(nothing)
    posed = pose(nothing, home, Arguments(None, None, spacing, boundary, diffusivity, velocity, None))
    closed = ("periodic", "no-flux")
    for low, high in posed.setting.conditions:
        if low.kind not in closed or high.kind not in closed:
            rule = 'walkers stay in the box: boundaries are "periodic" or "no-flux"'
            raise ValueError(refusal(rule, f"got {low} and {high}", "Choose one of these"))
    between: Walls | None = read_timeline(walls, shape, 1.0)[0][1]
    operator, _ = assemble(posed.setting, between)
    cells = np.arange(math.prod(shape)).reshape(shape)
    rates, targets = [], []
    for part in operator.axes:
        axis = part.axis + len(shape)
        for step, coefficient in ((-1, part.backward), (1, part.forward)):
            rates.append(_leaving(coefficient, shape, axis, step, part.periodic).reshape(-1))
            targets.append(np.roll(cells, -step, axis=axis).reshape(-1))
    widths = tuple(line.spacing for line in posed.setting.grid.lines)
    return Chain(shape, widths, np.stack(rates, axis=1), np.stack(targets, axis=1))


def _leaving(coefficient: Any, shape: tuple[int, ...], axis: int, step: int, periodic: bool) -> np.ndarray:
    """The rate out of each cell through the face before it (step -1) or behind it, 0 through outer faces."""
    faces = list(shape)
    faces[axis] -= not periodic
    values = np.broadcast_to(np.asarray(coefficient, dtype=np.float64), faces)
    if periodic:  # face i lies before cell i
        return values if step < 0 else np.roll(values, -1, axis=axis)
    pad = [(0, 0)] * len(shape)
    pad[axis] = (1, 0) if step < 0 else (0, 1)
    return np.pad(values, pad)


def plan_jumps(chain: Chain, time: float, steps: int | None) -> Jumps:
    """With `steps`, a jump or none in each; without, as many jumps as a Poisson process has, which is exact in time."""
    total = chain.fastest * time
    if steps is not None:
        share = chain.rates * (time / steps)
        if total / steps > 1 + 1e-12:
            given = f"{steps} steps of {time / steps:g} give up to {total / steps:.6g}"
            remedy = f"Take at least {math.ceil(total * (1 - 1e-12))} steps, or none, which is exact in time"
            raise ValueError(refusal("walkers leave a cell with a probability of at most 1", given, remedy))
        return Jumps(chain, _limits(share), steps, None)
    if total > MOST_JUMPS:
        given = f"a cell is left {total:.3g} times"
        remedy = "Make cells wider or the time shorter; without shape and walls walkers need one jump"
        raise ValueError(refusal(f"at most {MOST_JUMPS} jumps can be drawn", given, remedy))
    if total == 0:
        return Jumps(chain, _limits(chain.rates * 0), 0, None)
    chances = _poisson(total)
    return Jumps(chain, _limits(chain.rates / chain.fastest), len(chances) - 1, thresholds(chances))


def _limits(share: np.ndarray) -> np.ndarray:
    """(ways, cells)"""
    stay = np.maximum(1 - share.sum(axis=1, keepdims=True), 0)
    return thresholds(np.concatenate([share, stay], axis=1)).T


def _poisson(mean: float) -> np.ndarray:
    """Chances of 0, 1, ... events, as far as they matter."""
    reach = math.ceil(mean + 10 * math.sqrt(mean) + 40)
    counts = np.arange(reach + 1)
    logs = counts * math.log(mean) - mean - np.cumsum(np.log(np.maximum(counts, 1)))
    chances = np.exp(logs)
    last = int(np.argmax(np.cumsum(chances[::-1]) > _TAIL))
    chances = chances[: len(chances) - last]
    return chances / chances.sum()


def jump(home: Home, positions: Any, index: Any, jumps: Jumps, stream: Stream) -> Any:
    """Positions (walkers, axes) after all jumps; `index` counts the walkers."""
    xp, chain = home.xp, jumps.chain
    name = "int64" if has_double(home) else "int32"
    cells = math.prod(chain.shape)
    limits = bring_home(jumps.limits.reshape(-1), home, word_dtype(home))
    stay = np.arange(cells)[:, None]
    targets = bring_home(np.concatenate([chain.targets, stay], axis=1).T.reshape(-1), home, name)
    start = cell = _cells(home, positions, chain, name)
    active = None
    if jumps.counts is not None:
        counts = bring_home(jumps.counts, home, word_dtype(home))
        active = xp.searchsorted(counts, stream.words(home, index)[0], side="right")
    words: tuple[Any, ...] = ()
    for step in range(jumps.rounds):
        if step % 4 == 0:
            words = stream.words(home, index, 1 + step // 4)
        way = 0 * cell
        for place in range(chain.rates.shape[1]):
            way = way + cast(home, words[step % 4] >= xp.take(limits, cell + place * cells, axis=0), name)
        moved = xp.take(targets, cell + way * cells, axis=0)
        cell = moved if active is None else xp.where(active > step, moved, cell)
    return positions + _shift(home, start, cell, chain, positions)


def _cells(home: Home, positions: Any, chain: Chain, name: str) -> Any:
    """Which cell each walker is in; the nearest for those outside."""
    xp, total = home.xp, 0
    for axis, (size, width) in enumerate(zip(chain.shape, chain.spacing, strict=True)):
        place = xp.floor(positions[:, axis] / width)
        place = xp.where(place > 0, place, 0 * place)
        place = cast(home, xp.where(place < size, place, 0 * place + (size - 1)), name)
        total = total * size + place
    return total


def _shift(home: Home, start: Any, end: Any, chain: Chain, positions: Any) -> Any:
    name = str(positions.dtype).rpartition(".")[2]
    stride, found = 1, []
    for size, width in zip(reversed(chain.shape), reversed(chain.spacing), strict=True):
        moved = (end // stride) % size - (start // stride) % size
        found.append(cast(home, moved, name) * width)
        stride *= size
    return home.xp.stack(found[::-1], axis=-1)
