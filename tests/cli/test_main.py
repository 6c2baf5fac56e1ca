"""Exit codes, one-line errors, and the command line as its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import imageio.v3 as imageio
import numpy as np
import pytest

import gpuconv
from gpuconv import cli
from gpuconv.cli.command import CommandError, did_you_mean, mistake
from gpuconv.errors import DeviceError, MissingLibraryError
from tests.cli.command_line import assert_done, assert_refused, command
from tests.conftest import ROOT


@pytest.fixture
def photo(tmp_path, rng):
    imageio.imwrite(tmp_path / "photo.png", rng.integers(0, 256, (12, 10, 3)).astype(np.uint8))
    return tmp_path / "photo.png"


def _process(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "gpuconv", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_every_command_is_a_row_with_help(capsys):
    top = command(capsys, "--help")
    assert_done(top)
    for row in cli.COMMANDS:
        assert f"    {row.name} " in top.out.replace("\n", " \n")
        outcome = command(capsys, row.name, "--help")
        assert_done(outcome)
        assert " ".join(row.summary.split()).lower() in " ".join(outcome.out.split()).lower()


def test_version(capsys):
    outcome = command(capsys, "--version")
    assert_done(outcome)
    assert outcome.out == f"gpuconv {gpuconv.__version__}\n"


WRONG = [
    ((), "the following arguments are required: COMMAND"),
    (("convolv",), "got 'convolv'. Did you mean 'convolve'?"),
    (("paint",), "got 'paint'. Choose one of demo, blur, sharpen, edges, filter, convolve, spectrum, lowpass"),
    (("convolve",), "the following arguments are required: INPUT, OUTPUT, --kernel"),
    (
        ("convolve", "IN", "OUT", "--kernel", "1", "--boundary", "mirorr"),
        "argument --boundary: invalid choice: 'mirorr'",
    ),
    (("convolve", "IN", "OUT", "--kernel", "1", "--clip", "--rescale"), "not allowed with argument --clip"),
    (("convolve", "IN", "OUT", "--kernel", "1", "--cval", "dark"), "argument --cval: invalid float value: 'dark'"),
    (("convolve", "IN", "OUT", "--kernel", "1", "--shiny"), "unrecognized arguments: --shiny"),
    (("convolve", "IN", "OUT", "--kernel", "1", "--device", "gpu"), "got 'gpu'. An NVIDIA GPU is called cuda."),
    (("convolve", "missing.png", "OUT", "--kernel", "1"), "must be a readable file: missing.png: No such file"),
    (("convolve", "IN", "missing/a.png", "--kernel", "1"), "the folder of the output must exist"),
    (("convolve", "IN", "a.gif", "--kernel", "1"), "the output must end in one of"),
    (("convolve", "IN", "OUT", "--kernel", "1", "--max-pixels", "119"), "12 x 10 = 120 pixels", "--max-pixels 120"),
    (("convolve", "IN", "OUT", "--kernel", "1 2; 3"), "the rows of a kernel must be equally long"),
    (("convolve", "IN", "OUT", "--kernel", "missing.npy"), "missing.npy: No such file"),
    (("convolve", "IN", "OUT", "--kernel", "1", "--param", "sigma=2"), "--param goes with a kernel by name"),
    (("convolve", "IN", "OUT", "--kernel", "1", "--magnitude"), "--magnitude goes with a kernel by name"),
    (("convolve", "IN", "OUT", "--kernel", "1 1; 1 1", "--axis", "0"), "--axis goes with a kernel by name"),
    (("convolve", "IN", "OUT", "--kernel", "1" + " 1" * 20, "--mode", "valid"), "21"),
]


@pytest.mark.parametrize(("words", "fragments"), [(words, rest) for words, *rest in WRONG])
def test_mistakes_are_one_line_and_exit_code_2(tmp_path, capsys, photo, words, fragments):
    places = {"IN": photo, "OUT": tmp_path / "out.png"}
    assert_refused(command(capsys, *(places.get(word, word) for word in words)), *fragments)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (np.array(["a"]), "holds <U1 of shape (1,)"),
        (np.array(2.0), "holds float64 of shape ()"),
        (np.ones((0, 3)), "holds float64 of shape (0, 3)"),
        (np.array([{}], object), "a kernel file is a readable .npy"),
        (np.ones((2, 2, 2)), "the kernel is 2 x 2 x 2, the input 12 x 10, 3 colours, uint8"),
        (np.ones((1, 1, 1, 1)), "the kernel is 1 x 1 x 1 x 1"),
        (np.ones((2, 2), bool), "holds bool"),
    ],
)
def test_kernel_files_that_do_not_fit_are_refused(tmp_path, capsys, photo, content, fragment):
    np.save(tmp_path / "kernel.npy", content, allow_pickle=True)
    outcome = command(capsys, "convolve", photo, tmp_path / "out.png", "--kernel", tmp_path / "kernel.npy")
    assert_refused(outcome, fragment)


def test_an_empty_kernel_file_is_refused(tmp_path, capsys, photo):
    (tmp_path / "kernel.npy").touch()
    outcome = command(capsys, "convolve", photo, tmp_path / "out.png", "--kernel", tmp_path / "kernel.npy")
    assert_refused(outcome, "a kernel file is a readable .npy")


def test_a_device_that_does_not_work_is_refused(tmp_path, capsys, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    words = ("convolve", photo, tmp_path / "out.png", "--kernel", "1", "--device")
    assert_refused(command(capsys, *words, "cuda"), "CuPy is not installed", "Use device 'cpu' or 'auto'")
    outcome = command(capsys, *words, "auto")
    assert_done(outcome)
    assert "on cpu" in outcome.out


@pytest.mark.parametrize(
    ("library", "name_in", "name_out"),
    [("imageio", "in.png", "out.npy"), ("imageio.v3", "in.npy", "out.png"), ("tifffile", "in.npy", "out.tif")],
)
def test_a_missing_library_names_the_extra(tmp_path, capsys, monkeypatch, library, name_in, name_out):
    np.save(tmp_path / "in.npy", np.ones((4, 5), np.uint8))
    imageio.imwrite(tmp_path / "in.png", np.ones((4, 5), np.uint8))
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "imageio.v3" if library == "imageio" else "no such module", raising=False)
    outcome = command(capsys, "convolve", tmp_path / name_in, tmp_path / name_out, "--kernel", "1")
    assert_refused(outcome, f"needs {library.split('.')[0]}", 'pip install "gpuconv[images]"')
    assert not (tmp_path / name_out).exists()


def test_a_backend_that_does_not_exist_is_refused(tmp_path, capsys, photo, monkeypatch):
    monkeypatch.setenv("GPUCONV_BACKEND", "quantum")
    fragments = ("GPUCONV_BACKEND must be one of", "got 'quantum'")
    assert_refused(command(capsys, "convolve", photo, tmp_path / "out.png", "--kernel", "1"), *fragments)
    assert_refused(command(capsys, "info"), *fragments)


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "gpuconv: interrupted\n"),
        (MemoryError("Unable to allocate 8 TiB."), 2, "must fit into memory: Unable to allocate 8 TiB. Give a smaller"),
        (MemoryError(), 2, "must fit into memory: an array did not fit. Give a smaller"),
        (CommandError("rule:\n given. remedy."), 2, "gpuconv: error: rule: given. remedy.\n"),
        (MissingLibraryError("install it"), 2, "gpuconv: error: install it\n"),
        (DeviceError("no such device"), 2, "gpuconv: error: no such device\n"),
    ],
)
def test_every_way_to_end_has_its_code_and_one_line(tmp_path, capsys, photo, monkeypatch, failure, code, line):
    def stop(*words, **options):
        raise failure

    monkeypatch.setattr(gpuconv, "convolve", stop)
    outcome = command(capsys, "convolve", photo, tmp_path / "out.png", "--kernel", "1")
    assert outcome.code == code
    assert line in outcome.err
    assert outcome.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_our_own_mistakes_are_not_hidden(tmp_path, photo, monkeypatch):
    def stop(*words, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(gpuconv, "convolve", stop)
    with pytest.raises(ZeroDivisionError):
        cli.main(["convolve", str(photo), str(tmp_path / "out.png"), "--kernel", "1"])


def test_the_nearest_name_is_offered_or_all_of_them():
    assert did_you_mean("Sobl", ["sobel", "box"]) == "Did you mean 'sobel'?"
    assert did_you_mean("zzz", ["sobel", "box"]) == "Choose one of sobel, box"
    assert str(mistake("rule", "given", "Did you mean 'sobel'?")) == "rule: given. Did you mean 'sobel'?"


def test_the_command_line_as_a_process(tmp_path, photo):
    finished = _process("convolve", photo, tmp_path / "out.png", "--kernel", "0 0 0; 0 1 0; 0 0 0")
    assert (finished.returncode, finished.stderr) == (0, "")
    np.testing.assert_array_equal(imageio.imread(tmp_path / "out.png"), imageio.imread(photo))
    finished = _process("convolve", photo, tmp_path / "out.png", "--kernel", "soble")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("gpuconv: error: ")
    assert finished.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one child")
def test_control_c_ends_the_process_with_130(tmp_path):
    os.mkfifo(tmp_path / "in.npy")
    words = ["convolve", str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), "--kernel", "1"]
    # A suite that runs in the background hands down an ignored SIGINT.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from gpuconv.cli import main; raise SystemExit(main({words}))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        # Both ends open at the same moment; then the child waits for what is never written.
        with open(tmp_path / "in.npy", "wb"):
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert (child.returncode, out, err) == (130, "", "gpuconv: interrupted\n")


def test_a_reader_who_goes_away_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    finished = subprocess.run(
        [sys.executable, "-m", "gpuconv", "info"],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (141, "")


def test_importing_the_command_line_imports_no_optional_library(run_python):
    names = {"imageio", "tifffile", "matplotlib", "skimage", "tqdm", "PIL", "cupy", "torch", "jax", "dask", "llvmlite"}
    printed = run_python(
        f"import sys, gpuconv.cli\nprint({sorted(names)!r} and sorted(set({sorted(names)!r}) & set(sys.modules)))"
    )
    assert printed == "[]\n"
