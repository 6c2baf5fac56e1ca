"""Waves on a box against closed forms: free packets, coherent states, heat, edges, measurements."""

import numpy as np
import pytest
from scipy import stats

from gpuconv import diffusion
from gpuconv.diffusion import quantum
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import make, name_of, to_numpy


def wave(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def norm(psi, spacing=1.0):
    return float(quantum.expectation(psi, "norm", spacing=spacing))


def test_a_free_packet_spreads_and_moves_as_it_must():
    width, k, h, mass, hbar, time = 0.7, 2.0, 0.1, 1.5, 0.8, 3.0
    psi = quantum.wave_packet(512, centre=20.0, width=width, wavenumber=k, spacing=h)
    later = quantum.evolve(psi, time, mass=mass, hbar=hbar, spacing=h)
    spread = width * np.sqrt(1 + (hbar * time / (2 * mass * width**2)) ** 2)
    assert norm(later, h) == pytest.approx(1, abs=1e-12)
    assert_close(quantum.expectation(later, "spread", spacing=h), np.array([spread]), tolerance=1e-12)
    assert_close(
        quantum.expectation(later, "position", spacing=h), np.array([20 + hbar * k / mass * time]), tolerance=1e-11
    )
    # The whole wave, not only its moments.
    x = (np.arange(512) + 0.5) * h - 20.0
    grown = width**2 + 0.5j * hbar * time / mass
    speed = hbar * k / mass
    exact = np.exp(-((x - speed * time) ** 2) / (4 * grown) + 1j * k * (x - speed * time / 2))
    exact *= (2 * np.pi * width**2) ** -0.25 * np.sqrt(width**2 / grown)
    assert_close(later, exact, tolerance=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "no-flux"])
def test_imaginary_time_is_heat(boundary):
    psi = wave((7, 10))
    cooled = quantum.evolve(psi, -0.4j, mass=0.5, hbar=3.0, spacing=(0.5, 0.7), boundary=boundary)
    heat = diffusion.diffuse(
        psi, 0.4, diffusivity=3.0 / (2 * 0.5), spacing=(0.5, 0.7), boundary=boundary, symbol="continuous"
    )
    assert_close(cooled, heat, tolerance=1e-13 * abs(psi).max())


def test_times_add_up_and_run_backwards():
    psi = wave((6, 9))
    twice = quantum.evolve(quantum.evolve(psi, 0.3, spacing=0.4), 0.5, spacing=0.4)
    assert_close(twice, quantum.evolve(psi, 0.8, spacing=0.4), tolerance=1e-13 * abs(psi).max())
    potential = np.linspace(0, 5, 9)
    there = quantum.evolve(psi, 0.8, potential=potential, steps=7)
    assert norm(there) == pytest.approx(norm(psi), rel=1e-13)
    back = quantum.evolve(there, -0.8, potential=potential, steps=7)
    assert_close(back, psi, tolerance=1e-13 * abs(psi).max())


def test_a_coherent_state_returns_after_a_period_and_strang_is_of_order_two():
    omega, h = 1.3, 0.15
    x = (np.arange(128) + 0.5) * h
    well = 0.5 * omega**2 * (x - 9.6) ** 2
    psi = quantum.wave_packet(128, centre=11.0, width=np.sqrt(1 / (2 * omega)), spacing=h)
    period = 2 * np.pi / omega
    errors = []
    for steps in (100, 200, 400):
        later = quantum.evolve(psi, period, potential=well, spacing=h, steps=steps)
        errors.append(abs(later + psi).max())  # exp(-i pi) of the energy of rest
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)
    unasked = quantum.evolve(psi, period, potential=well, spacing=h)
    assert abs(unasked + psi).max() < 1e-3
    assert float(quantum.expectation(unasked, "energy", potential=well, spacing=h)) == pytest.approx(
        float(quantum.expectation(psi, "energy", potential=well, spacing=h)), rel=1e-5
    )


def test_imaginary_time_leaves_the_ground_state():
    h = 0.1
    x = (np.arange(128) + 0.5) * h
    well = 0.5 * (x - 6.4) ** 2
    rest = quantum.evolve(np.ones(128), -12j, potential=well, spacing=h, steps=4000)
    assert float(quantum.expectation(rest, "energy", potential=well, spacing=h)) == pytest.approx(0.5, abs=1e-6)
    assert_close(quantum.expectation(rest, "spread", spacing=h), np.array([np.sqrt(0.5)]), tolerance=1e-6)


def test_evolution_is_that_of_the_hamiltonian_matrix():
    """Three-fold check of signs and units: the matrix exponential of ``T + V`` on a small box with hard walls."""
    n, h, mass, hbar, time = 12, 0.3, 0.7, 1.2, 0.5
    j = np.arange(n)
    modes = np.sqrt(2 / n) * np.sin(np.pi * np.outer(j + 1, j + 0.5) / n)
    modes[-1] /= np.sqrt(2)
    kinetic = modes.T @ np.diag((hbar * np.pi * (j + 1) / (n * h)) ** 2 / (2 * mass)) @ modes
    potential = np.linspace(0, 2, n) ** 2
    energies, states = np.linalg.eigh(kinetic + np.diag(potential))
    psi = wave(n)
    exact = states @ (np.exp(-1j * energies * time / hbar) * (states.T @ psi))
    given = {"potential": potential, "mass": mass, "hbar": hbar, "spacing": h, "boundary": "fixed"}
    coarse, fine = (abs(quantum.evolve(psi, time, steps=n, **given) - exact).max() for n in (200, 400))
    assert fine < 2e-3
    assert coarse / fine == pytest.approx(4, rel=0.02)
    assert float(quantum.expectation(psi, "energy", **given)) == pytest.approx(
        np.real(np.conj(psi) @ (kinetic + np.diag(potential)) @ psi) / np.sum(abs(psi) ** 2), rel=1e-12
    )


@pytest.mark.parametrize("k", [2.0, 4.0, 8.0])
def test_absorbing_edges_let_waves_leave(k):
    """The layer is 5 wide: made for wavelengths up to 5, k from 1.3 on."""
    h = 0.1
    psi = quantum.wave_packet(400, centre=20.0, width=2.5, wavenumber=k, spacing=h)
    gone = quantum.evolve(psi, 60.0 / k, spacing=h, absorb=5.0)
    assert norm(gone, h) < 0.01
    assert norm(quantum.evolve(psi, 2.0 / k, spacing=h, absorb=5.0), h) == pytest.approx(1, abs=1e-3)


def test_expectations_per_axis_and_batch():
    packets = np.stack(
        [
            quantum.wave_packet((40, 64), centre=c, width=(0.8, 0.7), wavenumber=k, spacing=(0.3, 0.2))
            for c, k in (((6, 6.4), (1, -2)), ((5.5, 6), (0.5, 3)))
        ],
        axis=1,
    )
    given = {"spacing": (0.3, 0.2), "axes": (0, 2), "hbar": 2.0}
    found = {
        name: quantum.expectation(2j * packets, name, spacing=(0.3, 0.2), axes=(0, 2), hbar=2.0, mass=3.0)
        for name in ("position", "spread", "momentum", "momentum-spread", "kinetic", "norm")
    }
    assert_close(found["position"], np.array([[6, 6.4], [5.5, 6]]), tolerance=1e-9)
    assert_close(found["spread"], np.array([[0.8, 0.7], [0.8, 0.7]]), tolerance=1e-9)
    assert_close(found["momentum"], 2 * np.array([[1, -2], [0.5, 3]]), tolerance=1e-9)
    assert_close(found["momentum-spread"], np.array([[2 / 1.6, 2 / 1.4]] * 2), tolerance=1e-9)
    kinetic = [(sum(4 * np.square(k)) + (2 / 1.6) ** 2 + (2 / 1.4) ** 2) / 6 for k in ((1, -2), (0.5, 3))]
    assert_close(found["kinetic"], np.array(kinetic), tolerance=1e-9)
    assert_close(found["norm"], np.array([4.0, 4.0]), tolerance=1e-12)
    height = np.arange(64.0)
    assert_close(
        quantum.expectation(packets, height, **given), (abs(packets) ** 2 * height).sum((0, 2)) * 0.06, tolerance=1e-12
    )


def test_waves_meet_and_interfere():
    """Two places at once: fringes of wavelength pi/k where packets of opposite momentum cross, none without the sum."""
    left = quantum.wave_packet(400, centre=14, width=1.5, wavenumber=5, spacing=0.1)
    right = quantum.wave_packet(400, centre=26, width=1.5, wavenumber=-5, spacing=0.1)
    both = quantum.evolve((left + right) / np.sqrt(2), 1.2, spacing=0.1)
    middle = abs(both[190:210]) ** 2
    assert middle.min() < 0.01 * middle.max()
    apart = sum(abs(quantum.evolve(psi, 1.2, spacing=0.1)[190:210]) ** 2 for psi in (left, right)) / 2
    assert apart.min() > 0.8 * apart.max()


def test_measurements_follow_the_square_of_the_wave(xp):
    """Chi-square over 12 cells: p above 1e-4 for this seed; cells where the wave vanishes are never found."""
    psi = wave((3, 4)) * [[1, 0, 1, 1]]
    seen = quantum.measure(make(xp, psi), 4000, spacing=(0.5, 2.0), rng=11)
    assert_same_home(seen, make(xp, psi), dtype="float64")
    cells = np.floor(to_numpy(seen) / [0.5, 2.0]).astype(int)
    counts = np.zeros((3, 4))
    np.add.at(counts, tuple(cells.T), 1)
    assert counts[:, 1].sum() == 0
    share = abs(psi) ** 2 / (abs(psi) ** 2).sum()
    there = share > 0
    assert stats.chisquare(counts[there], 4000 * share[there]).pvalue > 1e-4
    assert_close(seen, quantum.measure(psi, 4000, spacing=(0.5, 2.0), rng=11))


def test_batches_are_measured_one_by_one_and_seeds_advance():
    psi = np.array([[1.0, 0, 0], [0, 0, 1j], [1, 1, 1]])
    seen = quantum.measure(psi, 50, axes=1, rng=3)
    assert seen.shape == (3, 50, 1)
    assert np.all(seen[0] == 0.5)
    assert np.all(seen[1] == 2.5)
    assert len(np.unique(seen[2])) == 3
    generator = np.random.default_rng(0)
    first, second = (quantum.measure(np.ones(1000), 20, rng=generator) for _ in range(2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(*(quantum.measure(np.ones(1000), 20) for _ in range(2)))


CALLS = {
    "free": lambda psi: quantum.evolve(psi, 0.7, spacing=(0.5, 1.0)),
    "walled": lambda psi: quantum.evolve(psi, 0.7, boundary=["fixed", "no-flux"]),
    "potential": lambda psi: quantum.evolve(psi, 0.7, potential=np.arange(6.0), steps=3, absorb=(0, 1.5)),
    "cooled": lambda psi: quantum.evolve(psi, 0.2 - 0.7j, potential=np.arange(6.0), steps=3, axes=1),
    "energy": lambda psi: quantum.expectation(psi, "energy", potential=np.arange(6.0)),
    "spread": lambda psi: quantum.expectation(psi, "spread"),
    "norm": lambda psi: quantum.expectation(psi, "norm", spacing=0.5),
}


@pytest.mark.parametrize("name", CALLS)
def test_libraries_agree(xp, name):
    values = wave((5, 6)).astype("complex64")
    psi = make(xp, values)
    # Compiled as a whole JAX is done sooner than one operation after the other.
    result = (pytest.importorskip("jax").jit(CALLS[name]) if name_of(xp) == "jax" else CALLS[name])(psi)
    assert_same_home(result, psi, dtype="float32" if name in ("energy", "spread", "norm") else "complex64")
    expected = CALLS[name](values.astype(complex))
    assert_close(result, expected, tolerance=64 * EPS["float32"] * abs(values).max() ** 2)


def test_integers_and_halves_become_complex(xp):
    for dtype in ("float32", "uint8"):
        single = make(xp, np.ones(4), dtype=dtype)
        assert_same_home(quantum.evolve(single, 1.0), single, dtype="complex64")
    assert_same_home(quantum.evolve(make(xp, np.ones(4), dtype="int64"), 1.0), make(xp, np.ones(1)), dtype="complex128")
    if name_of(xp) != "array_api_strict":
        half = make(xp, np.ones(4), dtype="float16")
        assert_close(quantum.evolve(half, 1.0), np.ones(4, complex), tolerance=1e-6)
        assert_same_home(quantum.evolve(half, 1.0), half, dtype="complex64")


def test_no_time_is_a_copy_and_empty_arrays_stay_so(xp):
    psi = make(xp, wave(5))
    copy = quantum.evolve(psi, 0, potential=np.ones(5), steps=2)
    assert_close(copy, to_numpy(psi), tolerance=0)
    if name_of(xp) in ("numpy", "torch"):
        psi[0] = 7
        assert to_numpy(copy)[0] != 7
    assert quantum.evolve(make(xp, np.zeros((0, 3))), 1.0).shape == (0, 3)


def test_arrays_in_any_layout():
    psi = wave((8, 6))
    psi.flags.writeable = False
    assert_close(quantum.evolve(psi[::2, ::-1].T, 0.4), quantum.evolve(psi[::2, ::-1].T.copy(), 0.4))


def test_dask_stays_lazy():
    da = pytest.importorskip("dask.array")

    def compute(block):
        assert not block.size
        return block

    psi = da.from_array(wave((4, 6)), chunks=(2, 3))
    psi = da.map_blocks(compute, psi, dtype=psi.dtype, meta=np.empty((0, 0), complex))
    quantum.evolve(psi, 0.5, potential=np.ones(6), steps=2)
    quantum.measure(psi, 5, rng=1)
    quantum.expectation(psi, "energy")


def test_gradients_through_torch_reach_wave_and_potential():
    torch = pytest.importorskip("torch")
    psi = torch.from_numpy(wave(6)).requires_grad_()
    potential = torch.from_numpy(np.linspace(0.0, 1, 6)).requires_grad_()

    def run(psi, potential):
        return quantum.evolve(psi, 0.5, potential=potential, steps=2)

    assert torch.autograd.gradcheck(run, (psi, potential))
    with pytest.raises(ValueError, match="a potential that cannot be read"):
        quantum.evolve(psi, 0.5, potential=potential)


def test_jax_differentiates_what_it_compiled():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    psi = wave((5, 6))

    def energy(height):
        later = quantum.evolve(jax.numpy.asarray(psi), 0.3, potential=height * np.arange(6.0), steps=4)
        return quantum.expectation(later, np.arange(6.0)).sum()

    slope = (energy(1 + 1e-5) - energy(1 - 1e-5)) / 2e-5
    assert float(jax.jit(jax.grad(energy))(1.0)) == pytest.approx(float(slope), rel=1e-7)


def test_single_precision_jax(run_python):
    pytest.importorskip("jax")
    code = """
import jax.numpy as jnp
from gpuconv.diffusion import quantum
psi = jnp.ones((4, 5))
print(quantum.evolve(psi, 0.5, potential=jnp.ones(5)).dtype, quantum.measure(psi, 3, rng=1).dtype)
print(float(quantum.expectation(psi, "norm")))
"""
    assert run_python(code) == "complex64 float32\n20.0\n"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: quantum.evolve(np.ones(4), "1"), TypeError, "time must be a number"),
        (lambda: quantum.evolve(np.ones(4), np.nan), ValueError, "time must be finite"),
        (lambda: quantum.evolve(np.ones(4), 1j), ValueError, "imaginary part of time must not be positive"),
        (lambda: quantum.evolve(np.ones(4), 1.0, mass=0), ValueError, "mass must be positive"),
        (lambda: quantum.evolve(np.ones(4), 1.0, potential=np.ones(3)), ValueError, "broadcastable to the axes"),
        (lambda: quantum.evolve(np.ones(4), 1.0, potential=[0, np.inf, 0, 0]), ValueError, "potential must be finite"),
        (lambda: quantum.evolve(np.ones(4), 1.0, potential=np.ones(4, bool)), TypeError, "potential must be numbers"),
        (lambda: quantum.evolve(np.ones(4), 1.0, potential=[0, 1e9, 0, 0]), ValueError, "steps are taken unasked"),
        (lambda: quantum.evolve(np.ones(4), 1.0, steps=0), ValueError, "steps must be at least 1"),
        (lambda: quantum.evolve(np.ones(4), 1.0, absorb=2.0), ValueError, "absorbing edges must leave room"),
        (lambda: quantum.evolve(np.ones(9), -1.0, absorb=2.0), ValueError, "need a real time that goes forwards"),
        (lambda: quantum.evolve(np.ones(4), 1.0, boundary=("fixed", 2.0)), ValueError, "a wave has one of"),
        (lambda: quantum.evolve(np.float64(1), 1.0), ValueError, "a wave needs at least one axis"),
        (lambda: quantum.evolve(np.ones(4, bool), 1.0), TypeError, "x must have one of the dtypes"),
        (lambda: quantum.measure(np.ones(4), -1), ValueError, "draws must be at least 0"),
        (lambda: quantum.measure(np.ones(4), 1, rng=1.5), TypeError, "rng must be None, a seed"),
        (lambda: quantum.measure(np.ones(4), 1, rng=-1), ValueError, "a seed must not be negative"),
        (lambda: quantum.measure(np.ones((2, 0)), 1), ValueError, "a measurement needs a cell"),
        (lambda: quantum.expectation(np.ones(4), "spin"), ValueError, "observable must be one of"),
        (lambda: quantum.expectation(np.ones(4), 1j * np.ones(4)), TypeError, "an observable must be real"),
        (lambda: quantum.expectation(np.ones(4), "norm", potential=1.0), ValueError, "a potential is for"),
        (lambda: quantum.expectation(np.ones(4), "momentum", boundary="fixed"), ValueError, "needs periodic axes"),
        (lambda: quantum.wave_packet(8, centre=1e6, width=1), ValueError, "must reach into the box"),
        (lambda: quantum.wave_packet(8, centre=4, width=0), ValueError, "width must be positive"),
    ],
)
def test_what_cannot_be_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
