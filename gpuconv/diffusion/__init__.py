"""Diffusion: exact propagators, barriers, and radial geometry, for every array library."""

from gpuconv.diffusion import quantum, radial, stochastic
from gpuconv.diffusion._plan import AxisPlan, DiffusionPlan
from gpuconv.diffusion._readings import KernelReading, softmax_propagator
from gpuconv.diffusion.conditions import Condition, read_conditions
from gpuconv.diffusion.grid import Grid, Line
from gpuconv.diffusion.nonlinear import perona_malik, porous_medium, reaction_diffusion, tensor_diffusion
from gpuconv.diffusion.propagators import diffuse, plan_diffusion, propagator
from gpuconv.diffusion.stepping import EvolveInfo, Walls, evolve, walls

__all__ = [
    "diffuse",
    "plan_diffusion",
    "propagator",
    "softmax_propagator",
    "radial",
    "stochastic",
    "quantum",
    "evolve",
    "perona_malik",
    "tensor_diffusion",
    "porous_medium",
    "reaction_diffusion",
    "walls",
    "Walls",
    "EvolveInfo",
    "Grid",
    "Line",
    "Condition",
    "read_conditions",
    "AxisPlan",
    "DiffusionPlan",
    "KernelReading",
]
