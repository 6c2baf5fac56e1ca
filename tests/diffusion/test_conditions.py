"""Boundary conditions: what may be written, what it is read as, and what crosses the face."""

import numpy as np
import pytest

from gpuconv.diffusion import Condition, read_conditions

PERIODIC = Condition("periodic", 0.0, 0.0, 0.0)
CLOSED = Condition("no-flux", 0.0, 1.0, 0.0)
ZERO = Condition("fixed", 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ("periodic", (PERIODIC, PERIODIC)),
        ("wrap", (PERIODIC, PERIODIC)),
        ("no-flux", (CLOSED, CLOSED)),
        ("neumann", (CLOSED, CLOSED)),
        ("fixed", (ZERO, ZERO)),
        ("dirichlet", (ZERO, ZERO)),
        (("fixed", 3), (Condition("fixed", 1.0, 0.0, 3.0),) * 2),
        (("fixed",), (ZERO, ZERO)),
        (("robin", 2, 3), (Condition("robin", 2.0, 3.0, 0.0),) * 2),
        (("robin", 2, 3, -4), (Condition("robin", 2.0, 3.0, -4.0),) * 2),
        (("fixed", "neumann"), (ZERO, CLOSED)),
        (("no-flux", ("fixed", 5)), (CLOSED, Condition("fixed", 1.0, 0.0, 5.0))),
        ((("robin", 1, 0), ("fixed", 5)), (Condition("robin", 1.0, 0.0, 0.0), Condition("fixed", 1.0, 0.0, 5.0))),
        (("wrap", "periodic"), (PERIODIC, PERIODIC)),
    ],
)
def test_a_condition_is_read(boundary, expected):
    assert read_conditions(boundary, 2) == (expected, expected)


def test_a_list_has_one_entry_per_axis():
    boundary = ["periodic", ("no-flux", "fixed"), ("fixed", 1.0)]
    assert read_conditions(boundary, 3) == tuple(read_conditions(entry, 1)[0] for entry in boundary)
    with pytest.raises(ValueError, match=r"a list of boundaries needs one entry per axis \(2\): got 3 entries"):
        read_conditions(boundary, 2)


@pytest.mark.parametrize(
    "boundary", ["open", None, 3, ("fixed", 1, 2), ("robin", 1), ("no-flux", 1), (), ("fixed", "fixed", "fixed"), ["x"]]
)
def test_what_is_no_condition_is_refused(boundary):
    with pytest.raises(ValueError, match=r'a condition is "periodic", "no-flux", "fixed", .*: got .*\. Choose one'):
        read_conditions(boundary, 1)


@pytest.mark.parametrize(
    ("boundary", "sentence"),
    [
        (("periodic", "fixed"), "periodic joins both ends of an axis: got"),
        (("robin", 0, 0), "needs an a or a b above zero"),
        (("robin", -1, 1), "a of a robin boundary must not be negative"),
        (("robin", 1, float("nan")), "b of a robin boundary must be a finite number"),
        (("fixed", float("inf")), "the value of a fixed boundary must be a finite number"),
    ],
)
def test_numbers_out_of_range_are_refused(boundary, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_conditions(boundary, 1)


@pytest.mark.parametrize(
    ("boundary", "remedy"),
    [("reflect", '"reflect" of convolve is "no-flux" here'), ("constant", r'\("fixed", value\)')],
)
def test_names_of_convolutions_get_the_name_here(boundary, remedy):
    with pytest.raises(ValueError, match=f"a condition is .*: got '{boundary}'. .*{remedy}"):
        read_conditions(boundary, 1)


def test_values_are_real_numbers():
    with pytest.raises(TypeError, match="must be a real number, one for the whole face: got ndarray of several"):
        read_conditions(("fixed", np.ones(3)), 1)
    with pytest.raises(TypeError, match="the value of a fixed boundary must be a real number"):
        read_conditions(("fixed", 1j), 1)


@pytest.mark.parametrize("boundary", [("fixed", 2.0), ("robin", 1.5, 0.7, -2.0), ("robin", 0, 2.0, 1.0), "no-flux"])
def test_the_flux_through_the_face_obeys_the_condition(boundary):
    """The face's value follows from the flux, and with both the condition must hold."""
    ((condition, _),) = read_conditions(boundary, 1)
    u, h = 0.3, 0.25
    c, s = condition.exchange(h)
    inward = s - c * u  # du/dn, n pointing outwards: what enters goes up towards the face
    face = u + inward * h / 2
    assert condition.a * face + condition.b * inward == pytest.approx(condition.value, abs=1e-14)


def test_nothing_is_exchanged_with_an_outside_that_is_not_there():
    assert PERIODIC.exchange(0.5) == CLOSED.exchange(0.5) == (0.0, 0.0)
