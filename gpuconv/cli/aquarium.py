"""`gpuconv aquarium`: salt and fresh water in a tank, behind a barrier that is lifted; by waiting or by stirring."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device, to_device, to_host
from gpuconv.cli.admission import MAX_PIXELS
from gpuconv.cli.carrying import add_device, known_device
from gpuconv.cli.command import mistake, optional_library
from gpuconv.cli.figures import new_figure
from gpuconv.cli.filtering import library_refusals
from gpuconv.cli.parameters import INTEGERS
from gpuconv.cli.writing import check_place, new_file

SUFFIXES = (".gif", ".png", ".npy")
# Sea water, in grams per litre, and sodium chloride in water at 25 degrees: 1.5e-9 m^2/s, in mm^2 a day.
SALT = 35.0
DIFFUSIVITY = 130.0
# Of the steps, as a part of the root mean square: what no colour shows.
ACCURACY = 1e-2
_STRIP = 6
_MILLISECONDS = 80
_END_MILLISECONDS = 2000


@dataclass(frozen=True)
class Tank:
    """Cells of 1 mm; the barrier stands in the middle of the width until day `lift`, then the whirl begins."""

    shape: tuple[int, int]
    days: float
    lift: float
    stir: float
    diffusivity: float

    @property
    def middle(self) -> int:
        return self.shape[1] // 2

    def start(self) -> np.ndarray:
        salt = np.zeros(self.shape)
        salt[:, : self.middle] = SALT
        return salt

    def whirl(self) -> tuple[np.ndarray, np.ndarray]:
        """Flow through the faces of both axes, in mm a day: differences of a stream function, so without divergence.

        It is 0 at the walls, and `stir` where it is fastest.
        """
        rows, columns = (np.sin(np.linspace(0, np.pi, size + 1)) for size in self.shape)
        stream = np.multiply.outer(rows, columns)
        down, right = np.diff(stream, axis=1), -np.diff(stream, axis=0)
        fastest = max(abs(down).max(), abs(right).max())
        return down * (self.stir / fastest), right * (self.stir / fastest)


@dataclass(frozen=True)
class Film:
    """Salt in grams per litre, shape (times, rows, columns), and the days of the pictures."""

    salt: np.ndarray
    days: np.ndarray
    how: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "output",
        type=Path,
        metavar="OUTPUT",
        help="a film (.gif), a strip of six moments (.png), or grams per litre of all pictures (.npy)",
    )
    group = parser.add_argument_group("tank")
    group.add_argument(
        "--size",
        type=INTEGERS,
        default=256,
        metavar="CELLS",
        help="in cells of 1 mm: one number, or height and width as in 128,256 (default: 256)",
    )
    group.add_argument("--days", type=float, default=30.0, help="how long (default: 30)")
    group.add_argument("--lift", type=float, default=5.0, metavar="DAY", help="when the barrier goes up (default: 5)")
    group.add_argument(
        "--stir",
        type=float,
        default=0.0,
        metavar="SPEED",
        help="a whirl from then on, of so many mm a day where it is fastest, such as 50 (default: 0)",
    )
    group.add_argument(
        "--diffusivity",
        type=float,
        default=DIFFUSIVITY,
        metavar="D",
        help=f"of salt in water, in mm^2 a day (default: {DIFFUSIVITY:g})",
    )
    group.add_argument("--frames", type=int, default=60, help="pictures after the first one (default: 60)")
    add_device(group)


def run(arguments: argparse.Namespace) -> None:
    device, output = choose_device(known_device(arguments.device)), arguments.output
    tank = _tank(arguments)
    _check_output(output)
    with _bar(tank.days) as at_day:
        film = filmed(tank, arguments.frames, device, at_day)
    high, wide = tank.shape
    print(f"tank: {high} x {wide} mm, {SALT:g} g/l of salt on the left, diffusivity {tank.diffusivity:g} mm^2 a day")
    print(_story(tank) + f", on {device}")
    for how in film.how:
        print(f"  {how}")
    start, end = film.salt[0], film.salt[-1]
    print(f"contrast left: {end.std() / start.std():.1%}; salt kept to {abs(end.sum() / start.sum() - 1):.0e}")
    write_film(output, film, tank)
    print(f"wrote {output}: {_written(output, film)}")


def filmed(tank: Tank, frames: int, device: str, at_day: Callable[[float], None] = lambda day: None) -> Film:
    """The tank behind its barrier, and without it; `at_day` is told how far it is."""
    from gpuconv import diffusion

    days = np.linspace(0, tank.days, frames + 1)
    barrier = diffusion.walls(tank.shape, closed=[(1, tank.middle)])
    whirl = tuple(to_device(flow, device) for flow in tank.whirl()) if tank.stir else None
    salt, pictures, how = to_device(tank.start(), device), [], []
    # Two stretches, as there is no flow before the barrier is lifted: it would pile up at it.
    for start, end, options in (
        (0.0, tank.lift, {"walls": barrier}),
        (tank.lift, tank.days, {"velocity": whirl}),
    ):
        inside = days[(days >= start) & (days < end)] - start
        if start == end:
            continue

        def told(done: int, total: int, start: float = start, length: float = end - start) -> None:
            at_day(start + length * done / total)

        with library_refusals():
            film, info = diffusion.evolve(
                salt,
                end - start,
                diffusivity=tank.diffusivity,
                accuracy=ACCURACY,
                save_at=[*inside.tolist(), end - start],
                progress=told,
                return_info=True,
                **options,
            )
        pictures.append(to_host(film[:-1]))
        salt = film[-1]
        how.append(f"day {start:g} to {end:g}: {str(info).partition(';')[0]}")
    pictures.append(to_host(salt)[np.newaxis])
    return Film(np.concatenate(pictures), days, tuple(how))


def write_film(path: Path, film: Film, tank: Tank) -> None:
    suffix = path.suffix.lower()
    with new_file(path) as file:
        if suffix == ".npy":
            np.save(file, film.salt, allow_pickle=False)
        elif suffix == ".png":
            figure = _strip(film, tank)
            figure.draw_without_rendering()
            figure.savefig(file, format="png", dpi=100)
        else:
            first, *others = _drawn_frames(film, tank)
            lengths = [_MILLISECONDS] * len(others) + [_END_MILLISECONDS]
            first.save(file, format="GIF", save_all=True, append_images=others, duration=lengths, loop=0)


def _tank(arguments: argparse.Namespace) -> Tank:
    size = arguments.size
    shape = size if isinstance(size, tuple) else (size, size)
    if len(shape) != 2 or min(shape) < 2:
        raise mistake("--size is a number of cells, or height and width", f"got {size}", "Give 256, or 128,256")
    if not (0 < arguments.days < np.inf and 0 <= arguments.lift <= arguments.days):
        given = f"got --days {arguments.days:g} --lift {arguments.lift:g}"
        raise mistake("the barrier is lifted between day 0 and the last day", given, "Give --lift up to --days")
    if not 0 <= arguments.stir < np.inf:
        raise mistake("--stir is a speed of 0 or more", f"got {arguments.stir:g}", "Give mm a day, such as 50")
    if not 0 < arguments.diffusivity < np.inf:
        raise mistake("--diffusivity is above 0", f"got {arguments.diffusivity:g}", "Give mm^2 a day, such as 130")
    if arguments.frames < 1 or (arguments.frames + 1) * shape[0] * shape[1] > MAX_PIXELS:
        given = f"got --frames {arguments.frames} of {shape[0]} x {shape[1]}"
        raise mistake(f"a film has 1 frame or more, and up to {MAX_PIXELS} cells in all", given, "Give another number")
    return Tank((shape[0], shape[1]), arguments.days, arguments.lift, arguments.stir, arguments.diffusivity)


def _check_output(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise mistake(f"the output must end in one of {known}", f"got {path}", "Choose one of these endings")
    check_place(path)
    if path.suffix.lower() != ".npy":
        optional_library("matplotlib.figure", "drawing the tank")
        optional_library("PIL.Image", "writing films")


@contextmanager
def _bar(days: float) -> Iterator[Callable[[float], None]]:
    """How far it is, on stderr; nothing where that is no terminal or tqdm is missing."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda day: None
        return
    shape = "{desc}: {percentage:3.0f}%|{bar}| day {n:.1f} of {total:g} [{elapsed}<{remaining}]"
    with tqdm(total=days, desc="aquarium", bar_format=shape, leave=False, disable=None) as bar:
        yield lambda day: bar.update(day - bar.n)


def _story(tank: Tank) -> str:
    lifted = f"barrier lifted on day {tank.lift:g} of {tank.days:g}"
    return lifted + (f", then stirred by up to {tank.stir:g} mm a day" if tank.stir else ", then left to itself")


def _written(path: Path, film: Film) -> str:
    if path.suffix.lower() == ".png":
        return f"{len(_moments(film))} moments"
    high, wide = film.salt.shape[1:]
    return f"{len(film.salt)} pictures" + (f" of {high} x {wide}, g/l" if path.suffix.lower() == ".npy" else "")


def _title(tank: Tank, day: float) -> str:
    return f"day {day:.1f}: " + ("behind the barrier" if day < tank.lift else "stirred" if tank.stir else "open")


def _moments(film: Film) -> list[int]:
    """The first picture, the last one, and some between."""
    count = min(_STRIP, len(film.salt))
    return np.rint(np.linspace(0, len(film.salt) - 1, count)).astype(int).tolist()


def _strip(film: Film, tank: Tank) -> Any:
    moments = _moments(film)
    figure = new_figure(2.3 * len(moments) + 1.0, 2.3 * min(tank.shape[0] / tank.shape[1], 2.5) + 0.9)
    panels = np.atleast_1d(figure.subplots(1, len(moments), sharey=True))
    for panel, number in zip(panels, moments, strict=True):
        shown, _ = _show(panel, film, tank, number)
        panel.set_title(_title(tank, film.days[number]), fontsize=8.5)
    panels[0].set_ylabel("height (mm)")
    for panel in panels:
        panel.set_xlabel("width (mm)")
    figure.colorbar(shown, ax=list(panels), label="salt (g/l)")
    return figure


def _show(panel: Any, film: Film, tank: Tank, number: int) -> tuple[Any, Any]:
    """One picture and the barrier in it, if it is there."""
    rows, columns = tank.shape
    shown = panel.imshow(film.salt[number], cmap="viridis", vmin=0, vmax=SALT, extent=(0, columns, 0, rows))
    (barrier,) = panel.plot([tank.middle] * 2, [0, rows], color="white", linewidth=2.5)
    barrier.set_visible(bool(film.days[number] < tank.lift))
    panel.set(xlim=(0, columns), ylim=(0, rows))
    return shown, barrier


def _drawn_frames(film: Film, tank: Tank) -> list[Any]:
    """All pictures with one palette; only what moves is drawn anew."""
    pillow = optional_library("PIL.Image", "writing films")
    agg = optional_library("matplotlib.backends.backend_agg", "drawing the tank")
    figure = new_figure(5.4, 0.9 + 4.0 * min(tank.shape[0] / tank.shape[1], 2.0))
    figure.set_dpi(80)
    canvas, panel = agg.FigureCanvasAgg(figure), figure.add_subplot()
    shown, barrier = _show(panel, film, tank, 0)
    panel.set(xlabel="width (mm)", ylabel="height (mm)", title=_title(tank, 0.0))
    figure.colorbar(shown, ax=panel, label="salt (g/l)")
    canvas.draw()
    canvas.draw()
    # The places of all labels are found once: they would move by a pixel from one title to the next.
    figure.set_layout_engine("none")
    frames: list[Any] = []
    for number, salt in enumerate(film.salt):
        shown.set_data(salt)
        barrier.set_visible(bool(film.days[number] < tank.lift))
        panel.set_title(_title(tank, film.days[number]))
        canvas.draw()
        frame = pillow.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
        # The first picture has every colour of the scale, in its colour bar.
        palette = frames[0] if frames else frame.quantize(256, dither=pillow.Dither.NONE)
        frames.append(frame.quantize(palette=palette, dither=pillow.Dither.NONE) if frames else palette)
    return frames
