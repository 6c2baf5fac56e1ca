"""Who owns these arrays: library, namespace, device, dtype names, laziness, and moving small things home.

This is the only module outside the backends that may name an array library. It imports none, since an array can only
be a library's if its caller has loaded that library; but CuPy, to see what others hold in CUDA memory.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import array_api_compat
import numpy as np

from gpuconv.core.arguments import refusal

_LIBRARIES = {
    "array_api_compat.numpy": "numpy",
    "array_api_compat.cupy": "cupy",
    "array_api_compat.torch": "torch",
    "array_api_compat.dask.array": "dask",
    "jax.numpy": "jax",
    "array_api_strict": "array_api_strict",
}
# Objects that hold an array and something else that a convolution would lose in silence.
_CARRIERS = {
    "pandas": "its index: pass series.to_numpy() and put the index back afterwards",
    "xarray": "its coordinates: pass data.data and put them back with data.copy(data=result)",
    "scipy.sparse": "its sparsity: pass matrix.toarray(), or convolve its dense blocks",
    "sparse": "its sparsity: pass array.todense()",
    "astropy.units": "its unit: pass quantity.value and multiply the unit back",
    "pint": "its unit: pass quantity.magnitude and multiply the unit back",
}


@dataclass(frozen=True)
class Home:
    """Where an array lives. `traced` means that values do not exist yet (jit, vmap) and must not be looked at.

    give_back: for arrays whose memory another library has lent, makes a result one of that library's arrays again.
    swapped: whether a NumPy array had another byte order than this machine, and is a copy.
    """

    library: str
    xp: Any
    device: Any
    traced: bool
    give_back: Callable[[Any], Any] | None = None
    swapped: bool = False

    def returned(self, result: Any, out: Any = None) -> Any:
        """`result` as an array of the caller's library, unless it is the caller's own `out`."""
        return result if self.give_back is None or result is out else self.give_back(result)


def read_image(x: Any, argument: str = "x") -> tuple[Any, Home]:
    """The array itself and its home; sequences become NumPy arrays."""
    if type(x) is np.ndarray:  # the common case, first and fast
        return (x, NUMPY) if x.dtype.isnative else (_native(x), _SWAPPED)
    _refuse_carriers(x, argument)
    if isinstance(x, (list, tuple, int, float, complex, np.generic)):
        return np.asarray(x), NUMPY
    if isinstance(x, np.ndarray):
        return _native(x.view(np.ndarray)), NUMPY if x.dtype.isnative else _SWAPPED
    lent = borrow(x, argument)
    if lent is not None:
        return lent, replace(home_of(lent, argument), give_back=_way_back(type(x)))
    return x, home_of(x, argument)


# Kinds of memory in the DLPack standard that the CPU sees, and those that CUDA devices see.
_CPU_MEMORY = (1, 3)
_CUDA_MEMORY = (2, 13)


def borrow(x: Any, argument: str = "x") -> Any:
    """The memory of an array of a library without array API, as a NumPy or CuPy array; None for any other object."""
    if array_api_compat.is_array_api_obj(x):
        return None
    lends_by_dlpack = hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")
    memory = x.__dlpack_device__()[0] if lends_by_dlpack else None
    if memory in _CPU_MEMORY:
        return np.from_dlpack(x)
    if memory not in _CUDA_MEMORY and not hasattr(x, "__cuda_array_interface__"):
        return None
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError:
        raise TypeError(
            refusal(
                f"{argument} lies in CUDA memory, which is seen through CuPy",
                "CuPy is not installed",
                'Install it with pip install "gpuconv[cuda13]" (or "gpuconv[cuda12]")',
            )
        ) from None
    return cupy.from_dlpack(x) if memory in _CUDA_MEMORY else cupy.asarray(x)


def _way_back(kind: type) -> Callable[[Any], Any] | None:
    """What makes a NumPy or CuPy array one of the library of `kind`, without a copy; None if that has no such thing."""
    root = kind.__module__.partition(".")[0]
    if root == "numba":
        return sys.modules["numba.cuda"].as_cuda_array
    return getattr(sys.modules.get(root), "from_dlpack", None)


def _native(x: np.ndarray) -> np.ndarray:
    """`x` in the byte order of this machine: files hold either."""
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def home_of(x: Any, argument: str = "x") -> Home:
    """Library, namespace and device of an array that is not a plain NumPy one."""
    if isinstance(x, np.ndarray):
        return NUMPY
    try:
        xp = array_api_compat.array_namespace(x)
    except TypeError:
        raise TypeError(
            refusal(
                f"{argument} must be an array of NumPy, CuPy, torch, JAX, dask or another array-API library",
                f"got {type(x).__module__}.{type(x).__qualname__}",
                "Convert it with numpy.asarray first",
            )
        ) from None
    library = _LIBRARIES.get(xp.__name__, xp.__name__)
    if library == "torch" and x.layout != sys.modules["torch"].strided:
        raise TypeError(
            refusal(f"{argument} must be a dense tensor", f"its layout is {x.layout}", f"Pass {argument}.to_dense()")
        )
    return Home(library, xp, device_of(x), is_traced(x, library))


# The home of every NumPy array.
NUMPY = Home("numpy", array_api_compat.array_namespace(np.empty(0)), "cpu", False)
_SWAPPED = replace(NUMPY, swapped=True)


def _refuse_carriers(x: Any, argument: str) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            refusal(
                f"{argument} must be a plain array",
                "got a numpy.ma.MaskedArray, whose mask would be lost",
                "Pass x.filled(value), or convolve values and weights apart and divide",
            )
        )
    if isinstance(x, np.matrix):
        raise TypeError(refusal(f"{argument} must be a plain array", "got a numpy.matrix", "Pass numpy.asarray(x)"))
    kind: Any = type(x)
    carrier = _carrier(kind)
    if carrier is not None:
        raise TypeError(
            refusal(
                f"{argument} must be a plain array",
                f"got {kind.__module__.split('.')[0]} {kind.__name__}",
                f"gpuconv would lose {_CARRIERS[carrier]}",
            )
        )


@lru_cache(maxsize=256)  # asked of the same few types at every call
def _carrier(kind: Any) -> str | None:
    module = kind.__module__ or ""
    return next((name for name in _CARRIERS if module == name or module.startswith(name + ".")), None)


def device_of(x: Any) -> Any:
    """Device of an array; None under tracing, where it is not known."""
    if isinstance(x, np.ndarray):
        return "cpu"
    return array_api_compat.device(x)


def dtype_name(dtype: Any) -> str:
    """Plain name of any library's dtype: ``torch.float32`` and ``numpy.dtype("float32")`` are ``"float32"``."""
    if isinstance(dtype, np.dtype):
        return _numpy_dtype_name(dtype)
    name = getattr(dtype, "name", None)
    return name if isinstance(name, str) else str(dtype).rsplit(".", 1)[-1]


@lru_cache(maxsize=256)  # numpy.dtype.name takes microseconds, and is asked for several times per call
def _numpy_dtype_name(dtype: np.dtype) -> str:
    return dtype.name


def dtype_in(home: Home, name: str) -> Any:
    """The dtype called `name` in a library, or the house error where the library cannot compute with it."""
    check_computable(home.library, has_double(home), name)
    return np.dtype(name) if home.library == "dask" else getattr(home.xp, name)


def check_computable(library: str, has_double: bool, name: str) -> None:
    """The house error where a library cannot compute in the dtype called `name`."""
    if name in ("int64", "uint64", "float64", "complex128") and not has_double:
        raise TypeError(
            refusal(
                f"this convolution gives {name}, which JAX computes only with 64-bit types enabled",
                "jax_enable_x64 is off",
                "Call jax.config.update('jax_enable_x64', True), or cast the inputs to float32",
            )
        )
    if library == "torch" and name in ("uint16", "uint32", "uint64"):
        raise TypeError(
            refusal(
                f"this convolution gives {name}, in which torch has no arithmetic",
                "both inputs are unsigned",
                "Cast one of them to a signed dtype, or use NumPy arrays",
            )
        )


def cast(home: Home, x: Any, name: str) -> Any:
    """`x` as dtype `name`; the same object if it already has it."""
    if dtype_name(x.dtype) == name:
        return x
    if home.library == "numpy":
        return x.astype(name)
    return home.xp.astype(x, dtype_in(home, name), copy=False)


def zeros_from(home: Home, shape: Sequence[int], name: str, *sources: Any) -> Any:
    """Zeros of dtype `name` that are a result of `sources`: torch's gradients by these are zeros, and not refused."""
    result = home.xp.zeros(tuple(shape), dtype=dtype_in(home, name), device=home.device)
    for source in sources:
        if getattr(source, "requires_grad", False):  # a tensor of torch
            nothing = source.reshape(-1)[:0].sum()
            is_real = not name.startswith("complex") and nothing.is_complex()
            result = result + cast(home, nothing.real if is_real else nothing, name)
    return result


def has_double(home: Home) -> bool:
    """False where JAX has its 64-bit types switched off."""
    return home.library != "jax" or bool(sys.modules["jax"].config.jax_enable_x64)


def is_traced(x: Any, library: str) -> bool:
    """True while values do not exist: JAX tracers; torch tensors on "meta", in torch.func, torch.compile, torch.fx."""
    if library == "jax":
        return isinstance(x, sys.modules["jax"].core.Tracer)
    if library == "torch":
        torch = sys.modules["torch"]
        if torch.compiler.is_compiling() or x.device.type == "meta":
            return True
        # Fake tensors, torch.fx and others that watch every operation: some of their values are not to be had.
        if type(x).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
            return True
        return is_transformed(x) or bool(torch.utils._python_dispatch.is_in_torch_dispatch_mode())
    return False


def is_transformed(tensor: Any) -> bool:
    """True for torch tensors that stand for others: inside torch.func, and gradients of many losses at once."""
    functorch = sys.modules["torch"]._C._functorch
    return bool(functorch.is_functorch_wrapped_tensor(tensor) or functorch.is_legacy_batchedtensor(tensor))


def is_lazy(home: Home) -> bool:
    """True when looking at a value is impossible or would compute the whole graph."""
    return home.traced or home.library == "dask"


def chunks_of(x: Any, home: Home, argument: str = "x") -> tuple[int, ...] | None:
    """Largest chunk on every axis of a chunked array; None for arrays in one piece."""
    if home.library != "dask":
        return None
    if any(size != size for size in x.shape):  # NaN stands for a size dask does not know
        raise ValueError(
            refusal(
                "a dask array needs known chunk sizes to be convolved",
                f"{argument} has shape {x.shape}",
                f"Call {argument}.compute_chunk_sizes() first",
            )
        )
    return tuple(max(sizes) for sizes in x.chunks)


def is_writeable(home: Home) -> bool:
    """True when elements can be assigned, so that `out=` makes sense."""
    return home.library not in ("jax", "dask")


def read_kernel(kernel: Any, home: Home, argument: str = "kernel") -> Any:
    """The kernel as a NumPy array where its values can be read without waiting for a device, else as it is.

    Sequences and NumPy arrays go with any image; arrays of another library than the image's are refused.
    """
    is_plain = isinstance(kernel, (list, tuple, int, float, complex, np.ndarray))
    if is_plain and home.library == "torch" and sys.modules["torch"].compiler.is_compiling():
        # torch.compile makes tensors of NumPy arrays too, of which it knows sizes and no values.
        return home.xp.asarray(np.asarray(kernel))
    if type(kernel) is np.ndarray:
        return kernel
    _refuse_carriers(kernel, argument)
    if isinstance(kernel, (list, tuple, int, float, complex, np.generic)):
        return np.asarray(kernel)
    if isinstance(kernel, np.ndarray):
        return kernel.view(np.ndarray)
    lent = borrow(kernel, argument)
    if isinstance(lent, np.ndarray):
        return lent
    kernel = kernel if lent is None else lent
    owner = home_of(kernel, argument)
    chunks_of(kernel, owner, argument)
    if owner.library != home.library:
        raise TypeError(
            refusal(
                f"{argument} must be a sequence, a NumPy array, or of the library that holds x",
                f"x belongs to {home.library}, {argument} to {owner.library}",
                "Convert one of them; gpuconv never moves data between libraries or devices behind your back",
            )
        )
    if not owner.traced and str(owner.device) != str(home.device) and home.device is not None:
        raise ValueError(
            refusal(
                f"{argument} must be on the device of x, or a NumPy array",
                f"x is on {home.device}, {argument} on {owner.device}",
                "Move the kernel, or pass it as a NumPy array",
            )
        )
    return _on_host(kernel, owner)


def _on_host(kernel: Any, owner: Home) -> Any:
    """NumPy view of a kernel whose memory the CPU sees and which takes part in no differentiation."""
    if owner.traced:
        return kernel
    if owner.library == "array_api_strict":
        return np.from_dlpack(kernel)
    if owner.library == "jax" and _dtype_is_numpys(kernel) and getattr(owner.device, "platform", "") == "cpu":
        return np.asarray(kernel)
    if owner.library == "torch" and _torch_is_readable(kernel) and dtype_name(kernel.dtype) != "bfloat16":
        return kernel.detach().resolve_conj().resolve_neg().numpy()
    return kernel


def _dtype_is_numpys(kernel: Any) -> bool:
    return dtype_name(kernel.dtype) != "bfloat16"


def _torch_is_readable(kernel: Any) -> bool:
    torch = sys.modules["torch"]
    differentiated = kernel.requires_grad and torch.is_grad_enabled()
    forward_mode = torch.autograd.forward_ad._current_level >= 0
    # Inside torch.func whatever is done to a tensor gives a wrapper without memory.
    inside = torch._C._functorch.maybe_current_level() is not None
    return kernel.device.type == "cpu" and not (differentiated or forward_mode or inside)


def bring_home(host: np.ndarray, home: Home, name: str) -> Any:
    """A host-side parameter as an array of dtype `name` in the image's library and on its device."""
    if home.library == "numpy":
        return host.astype(name, copy=False)
    via = "float32" if name in ("bfloat16", "float16") else name
    # A copy, for its strides: an axis of one sample may have a negative one, which torch refuses.
    moved = home.xp.asarray(np.array(host, dtype=via, order="C"), device=home.device)
    return cast(home, moved, name)


def to_numpy(x: Any) -> np.ndarray:
    """A host copy of any library's array, for examples, files and tests; waits for the device."""
    if isinstance(x, np.ndarray):
        return x
    home = home_of(x)
    if home.library == "cupy":
        return x.get()
    if home.library == "torch":
        x = x.detach().cpu().resolve_conj()
        return x.float().numpy() if dtype_name(x.dtype) == "bfloat16" else x.numpy()
    if home.library == "dask":
        return to_numpy(x.compute())
    if home.library == "array_api_strict":
        return np.from_dlpack(x)
    return np.asarray(x)
