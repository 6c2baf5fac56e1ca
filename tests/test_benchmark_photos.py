"""Photos of the subject "compiled": small ones, checked against the definition like large ones."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import photos
from benchmarks.cases import Data, definition
from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import open_library


@pytest.mark.parametrize("photo", photos.PHOTOS, ids=lambda photo: photo.name)
def test_photos_are_right_before_they_are_timed(photo, monkeypatch):
    monkeypatch.setattr(photos, "SHAPE", (60, 70))
    data = photos.make_photo(photo)
    assert data.x.dtype == np.uint8
    assert data.kernel.sum() == pytest.approx(1)
    expected = definition(photo.work, Data(data.x.astype(np.float64), data.kernel, data.taps))
    others = [maker(photo, data, expected) for maker in photos.PEERS.values()]
    mine = [Contender(OURS, photos.ours(photo, data)), *others]
    case = Case(photo.name, open_library("numpy"), mine, expected, photos.TOLERANCE[photo.result], 1, 1)
    result = run_case(case, Effort(seconds=0.0, fewest=2, most=2))
    assert {row["name"]: row["status"] for row in result["contenders"]} == {
        **dict.fromkeys([each.name for each in mine], "timed"),
        **{each.name: "absent" for each in others if each.status == "absent"},
    }


def test_a_wrong_photo_is_caught(monkeypatch):
    monkeypatch.setattr(photos, "SHAPE", (60, 70))
    photo = photos.PHOTOS[0]
    data = photos.make_photo(photo)
    expected = definition(photo.work, Data(data.x.astype(np.float64), data.kernel, data.taps))
    cut_off = [Contender(OURS, lambda: np.floor(expected).astype(np.uint8))]
    case = Case(photo.name, open_library("numpy"), cut_off, expected, photos.TOLERANCE["uint8"], 1, 1)
    assert run_case(case, Effort(seconds=0.0, fewest=2, most=2))["contenders"][0]["status"] == "wrong"
