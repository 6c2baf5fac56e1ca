"""Schemes as formulas, as code, and as choices."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv.diffusion import _schemes, evolve
from gpuconv.diffusion._schemes import Rates, Span
from tests.assertions import assert_close

N, MODE, D = 16, 3, 0.7
WAVE = np.cos(np.pi * MODE * (np.arange(N) + 0.5) / N)
RATE = D * 4 * np.sin(np.pi * MODE / N / 2) ** 2


def factor(scheme, dt, steps, axes=1):
    """What `steps` steps make of a cosine, in one dimension or along the first axis of more."""
    u = WAVE.reshape(-1, *[1] * (axes - 1)) * np.ones((N, *[3] * (axes - 1)))
    result, info = evolve(u, dt * steps, diffusivity=D, scheme=scheme, steps=steps, return_info=True)
    ratio = float((result * u).sum() / (u * u).sum())
    assert_close(result, ratio * u, tolerance=1e-12)
    return ratio, info


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("dt", [0.3, 5.0, 400.0])
def test_implicit_schemes_have_their_amplification(dt, axes):
    """Backward Euler ``1/(1 + z)``, Crank-Nicolson ``(1 - z/2)/(1 + z/2)``; stable at any step; to 1e-12."""
    z = RATE * dt
    assert_close(factor("backward-euler", dt, 2, axes)[0], 1 / (1 + z) ** 2, tolerance=1e-12)
    expected = (1 - z / 2) / (1 + z / 2)
    assert_close(factor("crank-nicolson", dt, 2, axes)[0], expected**2, tolerance=1e-12)


@pytest.mark.parametrize("axes", [1, 2])
def test_explicit_schemes_have_their_amplification(axes):
    """Explicit ``1 - z``, FED ``prod(1 - tau_i l)``, RKL2 ``(1 - b) + b P_s(1 - w1 z)``; to 1e-12."""
    assert_close(factor("explicit", 0.3, 5, axes)[0], (1 - 0.3 * RATE) ** 5, tolerance=1e-12)
    for dt in (4.0, 60.0):
        ratio, info = factor("fed", dt, 2, axes)
        n = info.stages
        lengths = 1 / np.cos(np.pi * (2 * np.arange(n) + 1) / (4 * n + 2)) ** 2
        lengths *= dt / lengths.sum()
        assert lengths.max() > 1 / (2 * D * axes), "FED takes steps that are not stable by themselves"
        assert_close(ratio, np.prod(1 - lengths * RATE) ** 2, tolerance=1e-12)

        ratio, info = factor("rkl2", dt, 2, axes)
        s = info.stages
        assert s % 2 == 1
        legendre = np.polynomial.legendre.Legendre.basis(s)(1 - 4 / (s * s + s - 2) * RATE * dt)
        b = (s * s + s - 2) / (2 * s * (s + 1))
        assert_close(ratio, ((1 - b) + b * legendre) ** 2, tolerance=1e-12)


def test_super_time_stepping_is_stable_at_the_fastest_rate():
    """With as few stages as it takes; with two fewer it is not."""
    for ratio in (1.5, 10.0, 333.3, 5000.0):
        top = np.linspace(1e-6, 1, 2001) * 2 * ratio
        n, s = _schemes.fed_stages(ratio), _schemes.rkl2_stages(ratio)
        assert np.abs(_schemes.fed_factor(top, n)).max() <= 1 + 1e-9
        assert np.abs(_schemes.rkl2_factor(top, s)).max() <= 1 + 1e-9
        if n > 2:
            assert np.abs(_schemes.fed_factor(top, n - 1)).max() > 1 + 1e-9
        if s > 3:
            assert np.abs(_schemes.rkl2_factor(top, s - 2)).max() > 1 + 1e-9


@pytest.mark.parametrize("scheme", ["fed", "rkl2"])
def test_long_super_steps_do_not_drown_in_rounding(rng, scheme):
    """A hundred stages and more in one step, single precision."""
    u = rng.random(200).astype(np.float32)
    single, info = evolve(u, 4000.0, scheme=scheme, steps=1, return_info=True)
    assert info.stages > 100
    assert_close(single, evolve(u.astype(float), 4000.0, scheme=scheme, steps=1), tolerance=2e-4)
    assert u.min() <= single.min()
    assert single.max() <= u.max()


def exact(u, diffusivity, time):
    """By the eigenvectors of the dense matrix with harmonic means."""
    means = 2 * diffusivity[:-1] * diffusivity[1:] / (diffusivity[:-1] + diffusivity[1:])
    matrix = np.diag(means, 1) + np.diag(means, -1)
    matrix -= np.diag(matrix.sum(0))
    rates, vectors = np.linalg.eigh(matrix)
    return vectors @ (np.exp(rates * time) * (vectors.T @ u))


@pytest.mark.parametrize("scheme", ["auto", "explicit", "fed", "rkl2", "backward-euler", "crank-nicolson"])
def test_the_accuracy_asked_for_is_met(rng, scheme):
    """For noise and jumps of the diffusivity, at every snapshot; and not with a quarter of the steps."""
    u, diffusivity = rng.standard_normal(30), 10 ** rng.uniform(-1, 1, 30)
    accuracy, times = 2e-3, (0.01, 0.5, 4.0)
    saved, info = evolve(
        u, 4.0, diffusivity=diffusivity, scheme=scheme, accuracy=accuracy, save_at=times, return_info=True
    )
    for state, time in zip(saved, times):
        error = np.linalg.norm(state - exact(u, diffusivity, time)) / np.linalg.norm(u)
        assert error <= 3 * accuracy  # one for each stretch up to there, at most
    assert "at most" in info.reason
    rates = Rates(float(2 * diffusivity.max()), (float(2 * diffusivity.max()),), False, 0.0)
    span = Span(4.0, 0.0, rates)
    name = info.scheme
    fewest = _schemes.steps_for(name, span, accuracy)
    assert _schemes.error_bound(name, span, fewest) <= accuracy
    if fewest > _schemes.fewest_stable(name, 4.0, rates):
        assert _schemes.error_bound(name, span, fewest - 1) > accuracy


@pytest.mark.parametrize(
    ("scheme", "order", "accuracies"),
    [
        ("explicit", 1, (64, 128)),
        ("backward-euler", 1, (16, 32)),
        ("rkl2", 2, (8, 16)),
        ("crank-nicolson", 2, (8, 16)),
    ],
)
@pytest.mark.parametrize("axes", [2, 3])
def test_schemes_have_their_order_in_time(rng, scheme, order, accuracies, axes):
    """Smooth data on several axes that do not commute, against many steps of RKL2."""
    shape = (7, 6, 5)[:axes]
    diffusivity = 0.2 + rng.random(shape)
    u = evolve(rng.random(shape), 1.0)
    reference = evolve(u, 2.0, diffusivity=diffusivity, scheme="rkl2", steps=600)
    errors = [
        np.abs(evolve(u, 2.0, diffusivity=diffusivity, scheme=scheme, steps=steps) - reference).max()
        for steps in accuracies
    ]
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.25


def test_auto_chooses_by_work_and_says_so(rng):
    u = rng.random(64)
    _, info = evolve(u.reshape(8, 8), 25000.0, return_info=True)
    assert info.scheme == "crank-nicolson"
    assert all(word in str(info) for word in ("error at most", "explicit would do", "rkl2 would do"))
    _, info = evolve(u.reshape(8, 8), 1.0, diffusivity=1 + rng.random((8, 8)), return_info=True)
    assert info.scheme == "rkl2", "axes do not commute: the error of an implicit scheme would not be known"
    _, info = evolve(u, 1e-4, accuracy=1e-3, return_info=True)
    assert info.scheme == "explicit"


def test_an_unstable_explicit_step_is_refused_with_the_number_it_takes():
    """And that number is stable, and keeps the maximum principle."""
    u = np.zeros((9, 9))
    u[4, 4] = 1.0
    with pytest.raises(
        ValueError, match=r"stable up to a length of 0.25: 10 steps for a time of 3 make 0.3. Take at least 12"
    ):
        evolve(u, 3.0, scheme="explicit", steps=10)
    result = evolve(u, 3.0, scheme="explicit", steps=12)
    assert result.min() >= 0
    with pytest.raises(
        ValueError, match="the accuracy must be within reach: an error of 1e-12 by backward-euler takes"
    ):
        evolve(u, 3.0, scheme="backward-euler", accuracy=1e-12)


@pytest.mark.parametrize("shape", [(40,), (8, 9), (4, 5, 6)])
def test_implicit_schemes_are_stable_whatever_the_jumps(rng, shape):
    """Diffusivities over eight orders of magnitude, steps far beyond any explicit one: a norm never grows.

    That is the Euclidean one, and for Crank-Nicolson on two axes, after Peaceman and Rachford, that of (1 - B) u.
    """
    u, diffusivity = rng.random(shape), 10 ** rng.uniform(-4, 4, shape)
    u -= u.mean()

    def size(state, scheme, step):
        if scheme == "crank-nicolson" and len(shape) == 2:
            before, after = diffusivity[:, :-1], diffusivity[:, 1:]
            flux = np.pad(2 * before * after / (before + after) * (state[:, :-1] - state[:, 1:]), ((0, 0), (1, 1)))
            state = state - step / 2 * (flux[:, :-1] - flux[:, 1:])
        return np.linalg.norm(state)

    for scheme in ("backward-euler", "crank-nicolson"):
        for step in (1e-3, 5.0, 1e3):
            result = evolve(u, 60 * step, diffusivity=diffusivity, scheme=scheme, steps=60)
            assert size(result, scheme, step) <= size(u, scheme, step) * (1 + 1e-6)
            if scheme == "backward-euler":
                assert u.min() - 1e-6 <= result.min()
                assert result.max() <= u.max() + 1e-6
