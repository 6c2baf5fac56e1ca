"""The oracle of exact diffusion: its matrix written down cell by cell, and the exponential of that."""

import math

import numpy as np

BALL = {"cartesian": (1.0, 1), "polar": (math.pi, 2), "spherical": (4 / 3 * math.pi, 3)}


def line_matrix(count, spacing, low, high, *, geometry="cartesian", inner=0.0):
    """``(L, s)`` of ``du/dt = s - L u`` on one axis; `low` and `high` are "periodic" or triples (a, b, value)."""
    ball, power = BALL[geometry]
    faces = [inner + i * spacing for i in range(count + 1)]
    volumes = [ball * (faces[i + 1] ** power - faces[i] ** power) for i in range(count)]
    areas = [ball * power * face ** (power - 1) for face in faces]
    matrix, inflow = np.zeros((count, count)), np.zeros(count)
    for face in range(1, count):
        for cell, other in ((face - 1, face), (face, face - 1)):
            matrix[cell, cell] += areas[face] / (spacing * volumes[cell])
            matrix[cell, other] -= areas[face] / (spacing * volumes[cell])
    if low == "periodic":
        for cell, other in ((0, count - 1), (count - 1, 0)):
            matrix[cell, cell] += 1 / spacing**2
            matrix[cell, other] -= 1 / spacing**2
        return matrix, inflow
    for cell, face, (a, b, value) in ((0, 0, low), (count - 1, count, high)):
        # With a ghost cell beyond the face: a (u + ghost)/2 + b (ghost - u)/h = value.
        # ghost = weight u + shift
        weight = (b / spacing - a / 2) / (b / spacing + a / 2)
        shift = value / (b / spacing + a / 2)
        matrix[cell, cell] += areas[face] * (1 - weight) / (spacing * volumes[cell])
        inflow[cell] += areas[face] * shift / (spacing * volumes[cell])
    return matrix, inflow


def solve_dense(u, time, lines, diffusivity, *, decay=0.0, source=0.0):
    """u after a time: u has one axis per (L, s) of `lines`; the matrix of everything at once, exponentiated."""
    from scipy.linalg import expm

    shape, size = u.shape, u.size
    system = np.zeros((size + 1, size + 1))
    entering = np.broadcast_to(np.asarray(source, float), shape).copy()
    total = decay * np.eye(size)
    for axis, ((matrix, inflow), rate) in enumerate(zip(lines, diffusivity, strict=True)):
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        total += rate * np.kron(np.kron(np.eye(before), matrix), np.eye(after))
        entering += rate * inflow.reshape([-1 if own == axis else 1 for own in range(len(shape))])
    system[:size, :size] = -total * time
    system[:size, size] = entering.ravel() * time
    grown = expm(system)
    return (grown[:size, :size] @ u.ravel() + grown[:size, size]).reshape(shape)
