"""Aligned pairs from the sampler to the batch: the same frames and crop for any number of workers and ranks."""

import itertools
import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from opengait import distributed, registry
from opengait.data.loader import build_loader
from opengait.data.sampler import Draw
from opengait.errors import ConfigError, DataError
from opengait_ext.data.augment import CrossModalAugmentation, Normalise
from opengait_ext.data.readers import BUPTCampusDataSet
from opengait_ext.data.sampler import CrossModalSampler
from tests.golden.vvi import mini_bupt

SAMPLER = {
    "type": "CrossModalSampler",
    "batch_size": [3, 2],
    "paired": True,
    "sample_type": "fixed_sorted_random",
    "frames_num_fixed": 4,
}


@pytest.fixture(autouse=True)
def sampler_known():
    with registry.samplers.temporarily(CrossModalSampler):
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return the tree with textured images, equal in both modalities of a moment, so that crops can be compared."""
    root = mini_bupt.write(tmp_path_factory.mktemp("bupt"))
    rng = np.random.default_rng(0)
    for person in (root / "DATA").iterdir():
        for visible in (person / "RGB").glob("*/*.jpg"):
            picture = Image.fromarray(rng.integers(0, 256, (32, 16), np.uint8)).convert("RGB")
            for code in ("RGB", "IR", "FakeIR"):
                name = visible.name.replace("_RGB_", f"_{code}_") if code == "IR" else visible.name
                # Written as lossless PNG in spite of the name.
                picture.save(person / code / visible.parent.name / name, format="png")
    return root


def reader(tree, **more):
    return BUPTCampusDataSet({"dataset_root": str(tree), "frame_size": [32, 16], **more}, True)


def sketch(lines):
    """Return a dataset from lines (person, camera, letters), with a tracklet per letter: V, I or F (fake infrared)."""
    labels, types, views = [], [], []
    for row, (person, camera, modalities) in enumerate(lines, start=1):
        for letter in modalities:
            labels.append(person)
            types.append("visible" if letter == "V" else "infrared")
            views.append(f"c{camera}-t{row:05d}" + ("-fake" if letter == "F" else ""))
    indices = {label: [i for i, mine in enumerate(labels) if mine == label] for label in sorted(set(labels))}

    class Set(SimpleNamespace):
        def __len__(self):
            return len(labels)

    return Set(label_list=labels, types_list=types, views_list=views, indices_dict=indices)


def take(sampler, count, seed=0):
    stream, batches = sampler.batches(), []
    for number in range(count):
        with distributed.isolated_random(distributed.mix_seed(seed, number)):
            batches.append(next(stream))
    return batches


def indices_of(batch):
    return [item.index if isinstance(item, Draw) else item for item in batch]


def halves(batch, people, tracklets):
    """Yield the two tracklets of every pair of a batch."""
    for person in range(people):
        block = batch[2 * tracklets * person : 2 * tracklets * (person + 1)]
        yield from zip(block[:tracklets], block[tracklets:], strict=True)


class TestSampler:
    def test_a_batch_is_p_people_with_k_pairs(self):
        data = sketch([(f"{p}", p % 6, "VI") for p in range(6) for _ in range(5)])
        draws = set()
        for batch in take(CrossModalSampler(data, [4, 3], paired=True), 20):
            assert len(batch) == 24 == len(set(indices_of(batch)))
            assert all(a.seed == b.seed for a, b in halves(batch, 4, 3))
            draws |= {item.seed for item in batch}
            indices = indices_of(batch)
            for number, (a, b) in enumerate(halves(indices, 4, 3)):
                assert (data.label_list[a], data.views_list[a]) == (data.label_list[b], data.views_list[b])
                # Every second person starts with infrared.
                assert data.types_list[a] == ("visible" if number // 3 % 2 == 0 else "infrared") != data.types_list[b]
            counts = Counter(data.label_list[i] for i in indices)
            assert set(counts.values()) == {6}
        assert len(draws) == 20 * 12

    def test_few_pairs_are_each_drawn_before_one_is_repeated(self):
        data = sketch([("a", 0, "VI")] * 3 + [("b", 1, "VI")])
        for batch in take(CrossModalSampler(data, [2, 4], paired=True), 10):
            counts = Counter((data.label_list[i], data.views_list[i]) for i in indices_of(batch))
            assert sorted(counts.values()) == [2, 2, 4, 8]
            # A pair that is drawn twice gets a new seed each time.
            assert len({i.seed for i in batch}) == 8

    def test_people_without_a_pair_are_skipped_and_named(self, caplog):
        data = sketch([("a", 0, "VI"), ("b", 1, "V"), ("b", 1, "I"), ("c", 2, "VI")])
        with caplog.at_level("INFO", logger="opengait"):
            sampler = CrossModalSampler(data, [2, 1], paired=True)
        assert "skips 1 people without an aligned pair: b" in caplog.text
        assert {data.label_list[i] for batch in take(sampler, 3) for i in indices_of(batch)} == {"a", "c"}
        with pytest.raises(ConfigError, match="asks for 3 people per batch, but only 2"):
            CrossModalSampler(data, [3, 1], paired=True)
        with pytest.raises(DataError, match="No person .* an aligned pair"):
            CrossModalSampler(sketch([("a", 0, "V"), ("a", 0, "I")]), [1, 1], paired=True)

    def test_unpaired_tracklets_of_a_person_with_pairs_are_not_drawn(self):
        data = sketch([("a", 0, "VI"), ("a", 0, "V"), ("a", 1, "I")])
        assert {i for batch in take(CrossModalSampler(data, [1, 2], paired=True), 5) for i in indices_of(batch)} == {
            0,
            1,
        }

    def test_a_fake_infrared_tracklet_is_a_second_partner(self):
        data = sketch([("a", 0, "VIF")] * 2)
        pairs = {
            pair
            for batch in take(CrossModalSampler(data, [1, 2], paired=True), 30)
            for pair in halves(indices_of(batch), 1, 2)
        }
        assert pairs == {(0, 1), (0, 2), (3, 4), (3, 5)}

    def test_release_recipe_two_cameras_with_a_pair_each(self):
        data = sketch([(f"{p}", camera, "VI") for p in range(9) for camera in (0, 0, 2, 5)])
        for batch in take(CrossModalSampler(data, [8, 2], paired=True, cameras=2), 20):
            assert len(batch) == 32
            for start in range(0, 32, 4):
                cameras = [data.views_list[i].split("-")[0] for i in indices_of(batch)[start : start + 4]]
                assert cameras[:2] == cameras[2:] and len(set(cameras)) == 2

    @pytest.mark.parametrize("paired", [False, True])
    def test_tracklets_are_spread_evenly_over_cameras(self, paired):
        lines = [("a", c, "VI") for c in (0, 1, 1, 1, 2, 2)] + [("b", 4, "VI")] * 3 + [("c", 1, "VI"), ("c", 3, "VI")]
        data = sketch(lines)
        seen = set()
        for batch in take(CrossModalSampler(data, [3, 4], paired=paired, cameras=2), 30):
            for modality in ("visible", "infrared"):
                mine = [i for i in indices_of(batch) if data.types_list[i] == modality]
                for person in "abc":
                    drawn = [i for i in mine if data.label_list[i] == person]
                    cameras = Counter(data.views_list[i].split("-")[0] for i in drawn)
                    assert sorted(cameras.values()) == ([4] if person == "b" else [2, 2])
                    if person == "a":
                        seen |= cameras.keys()
                    if person == "b":  # three tracklets: each before one is repeated
                        assert sorted(Counter(drawn).values()) == [1, 1, 2]
        assert seen == {"c0", "c1", "c2"}

    def test_cameras_are_equally_likely_for_any_number_of_tracklets(self):
        data = sketch([("a", 0, "VI")] + [("a", 1, "VI")] * 9)
        counts = Counter(data.views_list[b[0]][:2] for b in take(CrossModalSampler(data, [1, 1], cameras=1), 1000))
        assert abs(counts["c0"] / 1000 - 0.5) < 4 * (0.25 / 1000) ** 0.5

    def test_batch_k_depends_only_on_the_seed_and_k(self):
        data = sketch([(f"{p}", 0, "VI") for p in range(5) for _ in range(3)])
        one, two = (take(CrossModalSampler(data, [2, 2], paired=True), 6) for _ in range(2))
        assert one == two
        assert one[0] != take(CrossModalSampler(data, [2, 2], paired=True), 1, seed=1)[0]

    def test_invalid_settings_and_views_are_reported(self):
        data = sketch([("a", 0, "VI")] * 4)
        for wrong in (0, 3, True, "2", 1.0):
            with pytest.raises(ConfigError, match="sampler.cameras: .*divides the 4 tracklets"):
                CrossModalSampler(data, [1, 4], cameras=wrong)
        data.views_list[3] = "nm-01"
        with pytest.raises(DataError, match="'nm-01' is not a view .*sampler.cameras"):
            CrossModalSampler(data, [1, 4], cameras=2)
        data.views_list[3] = "c0"
        with pytest.raises(DataError, match="'c0' is not a view .*sampler.paired"):
            CrossModalSampler(data, [1, 4], paired=True)


def batches(tree, count, sampler=SAMPLER, transform=None, **changes):
    settings = {"training": True, "seed": 3} | changes
    transform = transform or CrossModalAugmentation(pad=6, erasing=0.0, adaptive_grey=None)
    return list(itertools.islice(build_loader(reader(tree), sampler, [transform], **settings), count))


def pairs_in(batch, people=3, tracklets=2):
    (frames,), labels, types, views, _ = batch
    for a, b in halves(list(range(len(labels))), people, tracklets):
        assert (labels[a], views[a]) == (labels[b], views[b]) and types[a] != types[b]
        yield frames[a], frames[b]


class TestBatch:
    def test_tracklets_of_a_pair_show_the_same_pixels_and_pairs_differ(self, tree):
        plain = []
        for batch in batches(tree, 3):
            for first, second in pairs_in(batch):
                # Both modalities have the same images here, so equal frames and geometry give equal tensors.
                assert torch.equal(first, second)
                plain.append(first)
        assert not any(torch.equal(a, b) for a, b in itertools.combinations(plain, 2))

    def test_without_pairing_frames_and_geometry_are_independent(self, tree):
        sampler = SAMPLER | {"paired": False, "batch_size": [3, 1]}
        same = 0
        for (frames,), _, _, views, _ in batches(tree, 4, sampler):
            for a, b in halves(range(6), 3, 1):
                same += views[a] == views[b] and torch.equal(frames[a], frames[b])
        assert same == 0

    def test_the_erased_rectangle_is_shared_and_the_channels_are_not(self, tree):
        erased = batches(tree, 1, transform=CrossModalAugmentation(pad=6, erasing=1.0, adaptive_grey=None))[0]
        filled = [first[:, 0].eq(torch.tensor(0.4914)) for first, _ in pairs_in(erased)]
        assert all(torch.equal(a, b) for a, b in pairs_in(erased)) and all(mask.any() for mask in filled)
        grey = batches(tree, 2, transform=CrossModalAugmentation(pad=6, erasing=0.0, adaptive_grey=1.0))
        pairs = [pair for batch in grey for pair in pairs_in(batch)]
        # Channels differ in shift and scale, so equal pixels lie on a line.
        lines = [np.corrcoef(a[:, 0].flatten(), b[:, 0].flatten())[0, 1] for a, b in pairs]
        assert min(lines) > 0.9999 and not all(torch.equal(a, b) for a, b in pairs)

    def test_workers_and_resuming_change_nothing(self, tree):
        plain = batches(tree, 4)
        for other, shift in ((batches(tree, 4, num_workers=2), 0), (batches(tree, 2, start_iteration=2), 2)):
            for number, batch in enumerate(other):
                assert torch.equal(batch[0][0], plain[number + shift][0][0])
                assert batch[1:4] == plain[number + shift][1:4]
        assert not torch.equal(plain[0][0][0], batches(tree, 1, seed=4)[0][0][0])

    def test_ranks_divide_the_batch_of_one_process(self, tree, monkeypatch):
        whole = batches(tree, 2)
        monkeypatch.setattr(distributed, "world_size", lambda: 3)
        for rank in range(3):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            for batch, everything in zip(batches(tree, 2), whole, strict=True):
                assert torch.equal(batch[0][0], everything[0][0][rank::3])

    def test_loading_does_not_change_the_random_states(self, tree):
        distributed.seed_everything(9)
        state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
        batches(tree, 2)
        assert random.getstate() == state[0] and np.random.get_state()[1].tolist() == state[1]  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), state[2])

    def test_single_frames_are_repeated_and_test_batches_are_deterministic(self, tree):
        data = BUPTCampusDataSet({"dataset_root": str(tree), "frame_size": [32, 16]}, False)
        cfg = {"type": "InferenceSampler", "batch_size": 16, "sample_type": "fixed_uniform", "frames_num_fixed": 6}
        runs = [list(build_loader(data, cfg, [Normalise()], training=False, seed=seed)) for seed in (0, 1)]
        assert all(torch.equal(a[0][0], b[0][0]) for a, b in zip(*runs, strict=True))
        frames = torch.cat([batch[0][0] for batch in runs[0]])[: len(data)]
        single = [i for i, t in enumerate(data.tracklets) if len(t.frames) == 1]
        assert len(single) == 4
        for index in single:
            assert torch.equal(frames[index], frames[index][:1].expand(6, -1, -1, -1))


@pytest.mark.parametrize("paired", [True, False])
def test_second_views_have_the_frames_of_the_first_and_draws_of_their_own(tree, paired):
    sampler = {**SAMPLER, "paired": paired, "second_view": True}

    def load(**augmentation):
        transforms = [CrossModalAugmentation(erasing=0, adaptive_grey=None, **augmentation)]
        loader = build_loader(reader(tree), sampler, transforms, training=True, seed=0, num_workers=0)
        frames, _, types, _, _ = next(iter(loader))
        # The second person's infrared tracklets come first.
        assert "".join(name[0] for name in types) == "vvvvii" + "iivvvv" + "vvvvii"
        return [(frames[0][first], frames[0][first + 2]) for first in (0, 1, 8, 9, 12, 13)]

    for one, two in load(pad=0, flip=0):
        assert torch.equal(two[:, 0], two[:, 1]) and torch.equal(two[:, 1], two[:, 2])
        assert not torch.equal(one[:, 0], one[:, 1])
        # All channels of the tree's pictures are equal, so a copied one differs by its mean and deviation alone.
        assert all(correlation(*frames) > 0.999 for frames in zip(one[:, 0], two[:, 0], strict=True))
    moved = [correlation(one[0, 0], two[0, 0]) for one, two in load(pad=8, flip=0.5)]
    assert max(moved) < 0.9


def correlation(one: torch.Tensor, two: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1].item()
