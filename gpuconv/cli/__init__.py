"""The command line: files in, files out. Every command is a row of `COMMANDS`."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from gpuconv.cli import (
    aquarium,
    bars,
    compress,
    convolve,
    demo,
    diffuse,
    frequencies,
    info,
    named,
    orientation,
    spectrum,
    zoo,
)
from gpuconv.cli.command import Command, CommandError, did_you_mean, mistake
from gpuconv.errors import DeviceError, MissingLibraryError

COMMANDS = (
    Command(
        "demo",
        "show a real photo through the kernel zoo, its spectrum, and the bars of a sound",
        demo.add_arguments,
        demo.run,
    ),
    Command("blur", "smooth a picture, a volume or an array with a Gaussian", named.add_short(named.BLUR), named.run),
    Command("sharpen", "bring out detail, by an unsharp mask", named.add_short(named.SHARPEN), named.run),
    Command("edges", "show how steep a picture is, by Sobel or other slopes", named.add_short(named.EDGES), named.run),
    Command("filter", "filter with any filter by name", named.add_names, named.run, named.check_name),
    Command("convolve", "filter a picture, a volume or an array with one kernel", convolve.add_arguments, convolve.run),
    Command(
        "spectrum",
        "show how much of each frequency a picture has, on a logarithmic scale",
        spectrum.add_arguments,
        spectrum.run,
    ),
    Command(
        "lowpass", "keep what is slower than a cutoff frequency", frequencies.add_cutoff("lowpass"), frequencies.run
    ),
    Command(
        "highpass", "keep what is faster than a cutoff frequency", frequencies.add_cutoff("highpass"), frequencies.run
    ),
    Command("bandpass", "keep what is between two frequencies", frequencies.add_band, frequencies.run),
    Command("notch", "take stripes of one frequency out of a picture", frequencies.add_notch, frequencies.run),
    Command(
        "orientation",
        "print the angle of the direction in which a picture varies most",
        orientation.add_arguments,
        orientation.run,
    ),
    Command("compress", "make a picture of a few of its coefficients", compress.add_arguments, compress.run),
    Command("bars", "draw the bars of an equaliser from a sound", bars.add_arguments, bars.run),
    Command("diffuse", "let the numbers of a picture spread, exactly", diffuse.add_arguments, diffuse.run),
    Command(
        "aquarium",
        "film salt and fresh water behind a barrier that is lifted, waiting or stirring",
        aquarium.add_arguments,
        aquarium.run,
    ),
    Command("kernels", "list the kernels that have a name, or show one of them", zoo.add_arguments, zoo.run),
    Command("info", "say what runs on this computer, and why the rest does not", info.add_arguments, info.run),
)

FAILED = 2
INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C: 128 + SIGINT
UNREAD = 141  # and for one whose reader went away: 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 2 with one line on stderr, 130 after Ctrl-C.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``gpuconv``; those of this process by default.
    """
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        _check_command(words)
        arguments = _parser().parse_args(words)
        with warnings.catch_warnings():
            # A note says what NumPy would warn of, and without the line of a source file.
            warnings.simplefilter("ignore", RuntimeWarning)
            arguments.run(arguments)
        sys.stdout.flush()
    except SystemExit as ended:  # --help and --version
        return int(ended.code or 0)
    except (CommandError, MissingLibraryError, DeviceError) as failure:
        print("gpuconv: error:", " ".join(str(failure).split()), file=sys.stderr)
        return FAILED
    except MemoryError as failure:
        print(f"gpuconv: error: {_out_of_memory(failure)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("gpuconv: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `gpuconv kernels | head`: nobody reads on, and the flush at exit must not complain about it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, without the page of usage before them."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}. '{self.prog} --help' shows what there is.")


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *unused: object) -> NoReturn:
        import gpuconv

        print(f"gpuconv {gpuconv.__version__}")
        raise SystemExit(0)


def _check_command(words: list[str]) -> None:
    """argparse would only list its choices; none of the options before a command or a name takes a value."""
    plain = [word for word in words if not word.startswith("-")]
    if not plain:
        return
    row = next((command for command in COMMANDS if command.name == plain[0]), None)
    if row is None:
        known = [command.name for command in COMMANDS]
        given = f"got {plain[0]!r}"
        raise mistake("a command is one of " + ", ".join(known), given, did_you_mean(plain[0], known))
    if row.check_name is not None and len(plain) > 1:
        row.check_name(plain[1])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gpuconv",
        description="Convolution, Fourier filters and diffusion of pictures, volumes and sounds, on a CPU or a GPU.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        row = commands.add_parser(
            command.name, help=command.summary, description=f"{command.summary[0].upper()}{command.summary[1:]}."
        )
        command.add_arguments(row)
        row.set_defaults(run=command.run)
    return parser


def _out_of_memory(failure: MemoryError) -> str:
    text = " ".join(str(failure).split()).rstrip(".") or "an array did not fit"
    return str(mistake("the work must fit into memory", text, "Give a smaller picture, or filter its parts"))
