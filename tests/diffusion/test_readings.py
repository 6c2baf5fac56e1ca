"""Kernels read as propagators: moments against loops, and the words."""

import math
import re

import numpy as np
import pytest

from gpuconv import convolve, diffusion, kernels
from gpuconv.diffusion import softmax_propagator


def test_moments_and_entropy_follow_their_definition():
    kernel = np.random.default_rng(1).normal(size=(3, 4))
    reading = softmax_propagator(kernel, temperature=0.7)
    assert isinstance(reading, diffusion.KernelReading)
    weights = {index: math.exp(kernel[index] / 0.7) for index in np.ndindex(3, 4)}
    total = sum(weights.values())
    drift, second, entropy = np.zeros(2), np.zeros((2, 2)), 0.0
    for (row, column), weight in weights.items():
        p, step = weight / total, np.array([row - 1.0, column - 1.0])
        assert reading.density[row, column] == pytest.approx(p, rel=1e-13)
        drift += p * step
        second += p * np.outer(step, step)
        entropy -= p * math.log2(p)
    np.testing.assert_allclose(reading.drift, drift, rtol=1e-13)
    np.testing.assert_allclose(reading.covariance, second - np.outer(drift, drift), rtol=1e-12)
    assert reading.entropy == pytest.approx(entropy, rel=1e-13)


def test_entropy_lies_between_certainty_and_everywhere():
    assert softmax_propagator(np.zeros((4, 4))).entropy == pytest.approx(4.0, rel=1e-14)
    certain = softmax_propagator([0.0, 5000.0, 0.0])
    assert certain.entropy == 0
    assert certain.words == "concentrates: 100 % stays where it is"
    assert not np.isnan(certain.covariance).any()


def one(*position, shape=(3, 3)):
    kernel = np.zeros(shape)
    kernel[position] = 9.0
    return kernel


WORDS = {
    "blur": (kernels.gaussian(1.0), "^spreads equally in all directions$"),
    "box": (kernels.box(3), "^spreads equally in all directions$"),
    "sharpen": (kernels.sharpen(), r"^concentrates: 96 % stays where it is$"),
    "up": (one(0, 1), "^moves up$"),
    "down": (one(2, 1), "^moves down$"),
    "left": (one(1, 0), "^moves left$"),
    "right": (one(1, 2), "^moves right$"),
    "aslant": (one(2, 2), "^moves down and right$"),
    "a line": (np.array([[0.0, 0, 0], [3, 3, 3], [0, 0, 0]]), "^spreads mostly along axis 1$"),
    "a diagonal": (3 * np.eye(3), "^spreads mostly aslant$"),
    "one row": ([[1.0, 1.0, 1.0]], "^spreads only along axis 1$"),
    "one column": (np.ones((3, 1)), "^spreads only along axis 0$"),
    "1-D": ([1.0, 1.0, 1.0], "^spreads$"),
    "1-D, moved": ([0.0, 0.0, 9.0], "^moves right$"),
    "3-D": (one(2, 1, 0, shape=(3, 3, 3)), "^moves on along axis 0 and back on axis 2$"),
    "nearly": ([[1, 1, 1], [1.3, 1.3, 1.3], [1, 1, 1]], "^spreads nearly equally in all directions$"),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_words_say_what_the_kernel_does(name):
    kernel, pattern = WORDS[name]
    words = softmax_propagator(kernel).words
    assert re.search(pattern, words), words


def test_weights_below_the_temperature_have_nearly_equal_chances():
    identity = kernels.get("identity")
    assert softmax_propagator(identity).density.max() < 0.26
    assert str(softmax_propagator(identity).drift.tolist()) == "[0.0, 0.0]"
    assert softmax_propagator(identity).words == "spreads equally in all directions"
    assert softmax_propagator(identity, temperature=0.1).words == "concentrates: 100 % stays where it is"


def test_what_moves_content_moves_it_that_way():
    """The words are those of convolution: an impulse goes where they say."""
    image = np.zeros((7, 7))
    image[3, 3] = 1
    for name, place in (("up", (2, 3)), ("right", (3, 4))):
        reading = softmax_propagator(WORDS[name][0])
        moved = convolve(image, reading.density)
        assert np.unravel_index(moved.argmax(), moved.shape) == place
        assert reading.words == f"moves {name}"


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: softmax_propagator([1.0], temperature=0), ValueError, "temperature must be positive"),
        (lambda: softmax_propagator(3.0), ValueError, "a propagator needs an axis to move along"),
        (lambda: softmax_propagator([1j]), TypeError, "complex|softmax"),
        (lambda: softmax_propagator([math.nan]), ValueError, "finite"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
