"""Frame picks: golden values of upstream and of public VVI code, limits by hand, and rejected settings."""

import json
import logging
import random

import numpy as np
import pytest

from opengait import distributed
from opengait.data import frame_picker as sampling
from opengait.data.frame_picker import FramePicker
from opengait.errors import ConfigError
from tests.paths import GOLDEN_DIR

GOLDEN = json.loads((GOLDEN_DIR / "vvi/sampling_expected.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_fixed_picks_equal_public_code(case):
    count, length = (int(part[1:]) for part in case.split("_"))
    assert sampling.segment_first(length, count) == GOLDEN["cases"][case]["segment_first"]
    assert sampling.uniform(length, count) == GOLDEN["cases"][case]["uniform_linspace"]


@pytest.mark.parametrize("case", GOLDEN["train_pools"])
def test_each_segment_draws_from_its_whole_pool_only(case):
    length, count = (int(part[1:]) for part in case.split("_"))
    distributed.seed_everything(1)
    draws = np.array([sampling.segment_random(length, count) for _ in range(300)])
    assert [sorted(set(column.tolist())) for column in draws.T] == GOLDEN["train_pools"][case]


def test_draws_inside_a_segment_are_uniform():
    random.seed(0)
    first = np.array([sampling.segment_random(24, 6)[0] for _ in range(4000)])
    assert np.abs(np.bincount(first, minlength=4) / 4000 - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 4000)


def test_sorted_random_repeats_only_in_short_tracklets():
    distributed.seed_everything(0)
    for _ in range(50):
        picked = sampling.sorted_random(9, 6)
        assert picked == sorted(set(picked)) and len(picked) == 6
        short = sampling.sorted_random(2, 6)
        assert short == sorted(short) and set(short) <= {0, 1}


def test_ordered_stays_in_a_window_and_repeats_short_tracklets():
    distributed.seed_everything(0)
    for _ in range(100):
        picked = sampling.ordered(40, 5, 3)
        assert picked == sorted(set(picked)) and picked[-1] - picked[0] < 8
    # A clip of one frame becomes 0 seven times; of two frames, 0 1 0 1 ... in order, without two of them.
    assert sampling.ordered(1, 5, 2) == [0] * 5
    assert set(sampling.ordered(2, 5, 2)) <= {0, 1}


def test_all_selects_every_frame_up_to_the_limit():
    assert FramePicker.from_config({"sample_type": "all_ordered"})(4) == [0, 1, 2, 3]
    assert FramePicker.from_config({"sample_type": "all_ordered", "frames_all_limit": 3})(4) == [0, 1, 2]
    assert FramePicker.from_config({"sample_type": "all_ordered", "frames_all_limit": -1})(4) == [0, 1, 2, 3]
    with pytest.raises(ConfigError, match="frames_all_limit: .*got 0"):
        FramePicker.from_config({"sample_type": "all_ordered", "frames_all_limit": 0})


def test_allordered_is_random_as_in_opengait_and_logs_it(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("opengait"), "propagate", True)
    with caplog.at_level(logging.INFO, "opengait"):
        picker = FramePicker.from_config({"sample_type": "fixed_allordered", "frames_num_fixed": 9})
    (record,) = caplog.records
    assert record.getMessage().startswith("sample_type fixed_allordered gives frames in random order, as in OpenGait;")
    distributed.seed_everything(0)
    assert picker(30) != sorted(picker(30))
    assert FramePicker.from_config({"sample_type": "all_unordered", "frames_all_limit": 9})(4) == [0, 1, 2, 3]


def test_unfixed_counts_include_both_ends():
    distributed.seed_everything(0)
    picker = FramePicker.from_config({"sample_type": "unfixed_unordered", "frames_num_min": 2, "frames_num_max": 4})
    assert {len(picker(10)) for _ in range(100)} == {2, 3, 4}
    assert picker.packed


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"sample_type": "fixed"}, "sample_type: .*got 'fixed'"),
        ({"sample_type": "fixed_orderd"}, "orderd"),
        ({"sample_type": "some_ordered"}, "some_ordered"),
        ({"sample_type": "fixed_unordered"}, "frames_num_fixed: .*nothing"),
        ({"sample_type": "fixed_unordered", "frames_num_fixed": 0}, "frames_num_fixed: .*got 0"),
        ({"sample_type": "fixed_ordered", "frames_num_fixed": 3}, "frames_skip_num: .*nothing"),
        ({"sample_type": "unfixed_unordered", "frames_num_min": 5, "frames_num_max": 4}, "frames_num_max: .*got 4"),
        ({"sample_type": "all_ordered", "frames_all_limit": -2}, "frames_all_limit: .*got -2"),
    ],
)
def test_invalid_settings_are_named(cfg, message):
    with pytest.raises(ConfigError, match=message):
        FramePicker.from_config(cfg)
