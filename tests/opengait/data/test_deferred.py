"""Transforms in two halves: a loader yields the same frames as a call, wherever each half runs."""

import itertools
import time

import numpy as np
import pytest
import torch

from opengait import distributed
from opengait.data.deferred import Deferred, Ring, first_half, large_empty
from opengait.data.loader import PREFETCH, build_loader
from opengait.data.transform import Compose
from opengait.errors import DataError

FIXED = {"type": "TripletSampler", "batch_size": [2, 3], "sample_type": "fixed_unordered", "frames_num_fixed": 4}
PACKED = {"type": "InferenceSampler", "batch_size": 1, "sample_type": "all_ordered"}


class Bytes:
    """Nine tracklets of three ids; frame f of tracklet i has bytes 10 i + f."""

    label_set = ("a", "b", "c")
    indices_dict = {label: list(range(3 * i, 3 * i + 3)) for i, label in enumerate("abc")}

    def __len__(self):
        return 9

    def __getitem__(self, index):
        frames = 10 * index + np.arange(3 + index)
        pixels = np.broadcast_to(frames[:, None, None, None], (len(frames), 3, 2, 5)).astype(np.uint8)
        return [pixels], ["abc"[index // 3], "t", f"v{index}", []]


class Noisy:
    """Adds a number drawn for each frame, to bytes in the first half and to floats in the second."""

    def begin(self, frames, info=None, masks=None):
        drawn = torch.randint(5, (len(frames), 2))
        return torch.as_tensor(frames) + drawn[:, 0, None, None, None].to(torch.uint8), masks, drawn

    def finish(self, frames, drawn, out=None):
        out = torch.empty(frames.shape) if out is None else out
        assert frames.dtype == torch.uint8 and frames.ndim == 4 and len(frames) == len(drawn)
        # Halves are exact on every device, unlike quotients.
        return out.copy_(frames).mul_(0.5).add_(drawn[:, 1, None, None, None].to(out.device))

    def __call__(self, frames, info=None):
        begun, _, drawn = self.begin(frames, info)
        return self.finish(begun, drawn)


class Named(Noisy):
    """Needs the info of its tracklet."""

    needs_info = True

    def begin(self, frames, info=None, masks=None):
        frames, masks, drawn = super().begin(frames, info, masks)
        return frames, masks, drawn + 10 * int(info[2][1:])


def eager(transform):
    """Return the same transform without its halves."""
    plain = lambda *arguments: transform(*arguments)  # noqa: E731 (a function can have attributes)
    plain.needs_info = getattr(transform, "needs_info", False)
    return plain


def batches(transform, cfg=FIXED, count=3, **changes):
    settings = {"training": cfg is FIXED, "seed": 4} | changes
    return list(itertools.islice(build_loader(Bytes(), cfg, [transform], **settings), count))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("transform", [Noisy(), Named()], ids=["noisy", "named"])
@pytest.mark.parametrize("cfg", [FIXED, PACKED], ids=["fixed", "packed"])
def test_both_halves_equal_the_whole_transform(transform, cfg, workers):
    expected = batches(eager(transform), cfg)
    for one, other in zip(batches(transform, cfg, num_workers=workers), expected, strict=True):
        assert one[0][0].dtype == torch.float32 and one[0][0].device.type == distributed.device().type
        assert torch.equal(one[0][0].cpu(), other[0][0]) and one[1:4] == other[1:4]


def test_workers_send_bytes():
    loader = build_loader(Bytes(), FIXED, [Noisy()], training=True, seed=4)
    sent = loader.dataset.__getitems__(next(iter(loader.batch_sampler)))[0][0]
    assert isinstance(sent, Deferred) and sent.frames.dtype == torch.uint8
    assert sent.shape == (6, 4, 3, 2, 5) and sent.drawn.shape == (6, 4, 2)


def test_models_with_their_own_transforms_receive_arrays():
    (batch,) = batches(Noisy(), count=1, wants_raw=True)
    assert all(isinstance(frames, np.ndarray) for frames in batch[0][0])


def test_a_tracklet_of_another_size_is_named():
    class Mixed(Bytes):
        def __getitem__(self, index):
            (pixels,), info = super().__getitem__(index)
            return [pixels[..., : 5 - (index == 4)]], info

    cfg = {"type": "InferenceSampler", "batch_size": 9, "sample_type": "fixed_unordered", "frames_num_fixed": 2}
    with pytest.raises(DataError, match="Tracklet b-t-v4 has shape"):
        list(build_loader(Mixed(), cfg, [Noisy()], training=False, seed=0))


def test_workers_apply_other_transforms_entirely():
    def plain(frames):
        return frames + 1

    class Labelled:
        needs_info = True

        def __call__(self, frames, info):
            return frames + info[0]

    assert first_half(plain)(1, [5], "masks") == (2, "masks")
    assert first_half(Labelled())(1, [5], None) == (6, None)


class Shift(Noisy):
    """Adds a drawn number to the frames and to their masks."""

    def begin(self, frames, info=None, masks=None):
        frames, _, drawn = super().begin(frames)
        return frames, None if masks is None else masks + drawn[:, 0, None, None, None].numpy().astype(np.uint8), drawn


class Halve:
    """Halves the masks, to distinguish it from a transform that leaves them unchanged."""

    moves_with_frames = True

    def __call__(self, masks):
        return masks / 2


class Twice(Bytes):
    """The frames, and the same frames as their masks."""

    def __getitem__(self, index):
        (pixels,), info = super().__getitem__(index)
        return [pixels, pixels], info


@pytest.mark.parametrize("workers", [0, 2])
def test_masks_move_with_their_frames(workers):
    def moved(*transforms):
        loader = build_loader(Twice(), FIXED, transforms, training=True, seed=4, num_workers=workers)
        return next(iter(loader))[0]

    plain = Compose([])
    plain.transforms = [Shift()]
    for transform in (Shift(), plain):
        frames, masks = moved(transform, Halve())
        shift = frames.cpu() - masks  # half of the frame is taken by `finish`, which adds the second drawn number
        assert torch.equal(shift, shift[:, :, :1, :1, :1].expand_as(shift))
        assert shift.unique().tolist() == [0, 1, 2, 3, 4]
    frames, plain_masks = moved(Shift(), lambda masks: masks / 2)
    assert torch.equal(plain_masks, moved(Halve(), Halve())[1])


def test_only_deferred_features_have_a_ring():
    settings = {"training": True, "seed": 4}
    rings = build_loader(Twice(), FIXED, [Noisy(), Halve()], num_workers=2, **settings).dataset.collate.rings
    assert [ring and len(ring.slots) for ring in rings] == [PREFETCH + 1, None]
    assert build_loader(Twice(), FIXED, [Noisy(), Halve()], **settings).dataset.collate.rings == [None, None]


def test_large_tensors_have_the_requested_type():
    for dtype in (torch.uint8, torch.float32):
        tensor = large_empty((2, 3), dtype)
        assert tensor.shape == (2, 3) and tensor.dtype == dtype


class Slow(Noisy):
    """Slow in the second half, so that workers run ahead as far as they can."""

    def finish(self, frames, drawn, out=None):
        time.sleep(0.02)
        return super().finish(frames, drawn, out)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_do_not_overwrite_batches_in_use(workers):
    expected = batches(eager(Noisy()), count=10)
    results = batches(Slow(), count=10, num_workers=workers)
    assert all(torch.equal(one[0][0].cpu(), other[0][0]) for one, other in zip(results, expected, strict=True))


def test_a_ring_reuses_its_memory():
    ring = Ring(3)
    first = [ring.take((2, 5)) for _ in range(3)]
    assert all(part.shape == (2, 5) and part.dtype == torch.uint8 and part.is_shared() for part in first)
    assert len({part.data_ptr() for part in first}) == 3
    assert ring.take((3, 3)).data_ptr() == first[0].data_ptr() and ring.take((9,)).data_ptr() == first[1].data_ptr()
    larger = ring.take((4, 5))
    assert larger.shape == (4, 5) and larger.data_ptr() != first[2].data_ptr()


@pytest.mark.cuda
def test_batches_on_cuda_are_not_overwritten():
    """Copy batches to the GPU while workers write further ones, and compare all of them at the end."""
    busy = torch.randn(2000, 2000, device="cuda")
    kept = []
    for batch in itertools.islice(build_loader(Bytes(), FIXED, [Noisy()], training=True, seed=4, num_workers=2), 60):
        kept.append(batch[0][0])
        for _ in range(10):
            busy = (busy @ busy).clamp(-1, 1)
    expected = batches(eager(Noisy()), count=60)
    assert all(torch.equal(frames.cpu(), batch[0][0]) for frames, batch in zip(kept, expected, strict=True))
