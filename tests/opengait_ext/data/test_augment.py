"""Augmentation: properties of every draw, and frequencies of the random choices (within 4 standard errors)."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from opengait.data.deferred import DeferrableTransform, Deferred
from opengait.errors import ConfigError
from opengait_ext.data.augment import (
    ERASED,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ChannelAdaptiveGrey,
    ChannelErasing,
    ChannelExchange,
    CrossModalAugmentation,
    Flip,
    Normalise,
    PadCrop,
)
from opengait_ext.data.channels import (
    GREY,
    UNCHANGED,
    erase_everywhere,
    erase_one_by_one,
    finish,
    normalise,
    take_channels,
)
from opengait_ext.data.masks import MaskTransform

LUMA = (0.2989, 0.5870, 0.1140)
VISIBLE, INFRARED = ["0001", "visible", "c1-t00001"], ["0001", "infrared", "c1-t00001"]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1234)


def within(rate, hits, draws):
    return abs(hits / draws - rate) < 4 * (rate * (1 - rate) / draws) ** 0.5


def frames(s=1, h=16, w=8, same_channels=False):
    x = torch.randint(1, 256, (s, 1 if same_channels else 3, h, w), dtype=torch.uint8)
    return x.expand(-1, 3, -1, -1).contiguous()


def normalised(x):
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (x.float() / 255 - mean) / std


def test_normalise_by_hand():
    x = np.zeros((2, 3, 4, 5), dtype=np.uint8)
    x[1] = 255
    y = Normalise()(x)
    assert y.dtype == torch.float32 and y.shape == (2, 3, 4, 5)
    for channel in range(3):
        assert torch.allclose(y[0, channel], torch.tensor(-IMAGENET_MEAN[channel] / IMAGENET_STD[channel]))
        assert torch.allclose(y[1, channel], torch.tensor((1 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]))
    assert x[1].min() == 255, "the input is not modified"


@pytest.mark.parametrize("size", [(16, 8), (7, 1), (1, 5), (33, 17)])
def test_table_for_bytes_equals_the_calculation_for_floats(size):
    """Bit for bit, for every size, so that runs on bytes and on floats do not diverge."""
    x = torch.randint(0, 256, (5, 3, *size), dtype=torch.uint8)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    taken = torch.tensor([[0, 1, 2], [2, 2, 2], [1, 1, 1], [0, 0, 0], [0, 1, 2]])
    for channels in (None, taken):
        out = torch.full(x.shape, 9.0)
        assert normalise(x, mean, std, out, channels) is out
        assert torch.equal(out, normalise(x.float(), mean, std, taken=channels))
    assert torch.equal(normalise(x, mean, std)[1], normalised(x)[1])
    strided = torch.empty(2, 3, size[0], size[1] * 5).permute(1, 0, 2, 3)[..., ::5]
    assert torch.equal(
        normalise(x[:3, :2], mean[:1], std[:1], strided), normalise(x[:3, :2].float(), mean[:1], std[:1])
    )


def shift_of(x, y, pad):
    """Return the (down, right) by which y is x shifted and filled with zeros; None if y is not a shift of x."""
    h, w = x.shape[-2:]
    padded = torch.nn.functional.pad(x, (pad, pad, pad, pad))
    for down in range(-pad, pad + 1):
        for right in range(-pad, pad + 1):
            if torch.equal(padded[..., pad - down : pad - down + h, pad - right : pad - right + w], y):
                return down, right
    return None


def test_crop_is_a_uniform_shift():
    x = frames(s=2)
    crop = PadCrop(2)
    shifts = [shift_of(x, crop(x), 2) for _ in range(2500)]
    assert None not in shifts
    for axis in (0, 1):
        for step in range(-2, 3):
            assert within(0.2, sum(shift[axis] == step for shift in shifts), 2500)
    assert torch.equal(PadCrop(0)(x), x)


def test_crop_reaches_ten_pixels_and_survives_small_frames():
    x = frames(h=4, w=3)
    shifts = {shift_of(x, PadCrop(10)(x), 10) for _ in range(200)}
    assert None not in shifts
    wide = frames(h=24, w=24)
    downs = [shift_of(wide, PadCrop(10)(wide), 10)[0] for _ in range(300)]
    assert min(downs) == -10 and max(downs) == 10


def test_flip_mirrors_half_of_the_time():
    x = frames(s=3)
    hits = 0
    for _ in range(2000):
        y = Flip(0.5)(x)
        assert torch.equal(y, x) or torch.equal(y, x.flip(-1))
        hits += torch.equal(y, x.flip(-1))
    assert within(0.5, hits, 2000)


def rectangle_of(x, y):
    """Return (top, left, height, width) of the change after checking that it is one filled rectangle."""
    changed = (x != y).any(dim=(0, 1))
    rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
    if not len(rows):
        return None
    top, left, h, w = int(rows[0]), int(columns[0]), len(rows), len(columns)
    assert rows[-1] - rows[0] + 1 == h and columns[-1] - columns[0] + 1 == w
    inside = y[:, :, top : top + h, left : left + w]
    assert torch.equal(inside, torch.tensor(ERASED).view(1, 3, 1, 1).expand_as(inside))
    assert int(changed.sum()) == h * w
    return top, left, h, w


@pytest.mark.parametrize(("size", "mean_area"), [((256, 128), 0.203), ((288, 144), 0.202)])
def test_erasing_statistics(size, mean_area):
    x = torch.zeros(1, 3, *size)
    draws = 1500
    rectangles = [rectangle_of(x, ChannelErasing(0.5)(x)) for _ in range(draws)]
    erased = [rectangle for rectangle in rectangles if rectangle]
    assert within(0.5, len(erased), draws)
    area = np.array([h * w / (size[0] * size[1]) for _, _, h, w in erased])
    aspect = np.array([h / w for _, _, h, w in erased])
    # The drawn ranges, .02 to .4 and .3 to 3.33, with both sides rounded to whole pixels.
    assert area.min() > 0.019 and area.max() < 0.405
    assert aspect.min() > 0.29 and aspect.max() < 3.5
    # Measured on the public code; the deviation of a single area is about 0.107.
    assert abs(area.mean() - mean_area) < 4 * area.std() / len(area) ** 0.5
    assert max(h for _, _, h, _ in erased) < size[0] and max(w for _, _, _, w in erased) < size[1]
    # The corner is uniform over its free range, so its mean relative position is one half.
    rows, columns = zip(*((top / (size[0] - h), left / (size[1] - w)) for top, left, h, w in erased), strict=True)
    for positions in (rows, columns):
        assert abs(np.mean(positions) - 0.5) < 4 * np.std(positions) / len(positions) ** 0.5


def test_aspect_is_uniform_not_its_logarithm():
    # Small areas always fit, so no draw is rejected; the mean of U(0.3, 1/0.3) is 1.817, of its logarithm 1.26.
    erase = ChannelErasing(1.0, area=(0.02, 0.03))
    x = torch.zeros(1, 3, 256, 256)
    aspect = np.array([h / w for _, _, h, w in (rectangle_of(x, erase(x)) for _ in range(500))])
    assert abs(aspect.mean() - 1.8167) < 4 * aspect.std() / len(aspect) ** 0.5


def test_frames_too_small_for_a_rectangle_are_unchanged():
    x = torch.zeros(1, 3, 1, 1)
    assert torch.equal(ChannelErasing(1.0)(x), x)


def sources_of(x, y):
    """Return the source of the output's channels: 0, 1, 2, "grey", or "same" if nothing changed."""
    if torch.equal(x, y):
        return "same"
    for channel in range(3):
        if torch.equal(y, x[:, channel : channel + 1].expand_as(y)):
            return channel
    grey = LUMA[0] * x[:, 0] + LUMA[1] * x[:, 1] + LUMA[2] * x[:, 2]
    assert torch.allclose(y, grey[:, None].expand_as(y), atol=1e-6)
    return "grey"


def test_adaptive_grey_rates():
    x = normalised(frames(h=3, w=2))
    sources = [sources_of(x, ChannelAdaptiveGrey(0.5)(x)) for _ in range(4000)]
    for source, rate in ((0, 1 / 4), (1, 1 / 4), (2, 1 / 4), ("grey", 1 / 8), ("same", 1 / 8)):
        assert within(rate, sources.count(source), 4000), source


@pytest.mark.parametrize("grey", [False, True])
def test_exchange_rates(grey):
    x = normalised(frames(h=3, w=2))
    sources = [sources_of(x, ChannelExchange(grey)(x)) for _ in range(3000)]
    for source in (0, 1, 2, "grey"):
        rate = (1 / 4 if grey else 1 / 3) if source != "grey" or grey else 0
        assert within(rate, sources.count(source), 3000) or sources.count(source) == rate == 0, source
    assert "same" not in sources


def test_grey_of_infrared_is_an_affine_change():
    x = normalised(frames(s=1, h=6, w=5, same_channels=True))
    for _ in range(20):
        y = ChannelAdaptiveGrey(0.5)(x)
        for channel in range(3):
            design = torch.stack([x[0, channel].flatten(), torch.ones(30)], dim=1).double()
            target = y[0, channel].flatten().double()
            fit = torch.linalg.lstsq(design, target[:, None]).solution
            assert torch.allclose(design @ fit, target[:, None], atol=1e-5)


OPERATIONS = [
    lambda per_frame: PadCrop(4, per_frame),
    lambda per_frame: Flip(0.5, per_frame),
    lambda per_frame: ChannelErasing(0.5, per_frame=per_frame),
    lambda per_frame: ChannelAdaptiveGrey(0.5, per_frame),
    lambda per_frame: ChannelExchange(True, per_frame),
]


@pytest.mark.parametrize("make", OPERATIONS, ids=["crop", "flip", "erasing", "grey", "exchange"])
def test_one_draw_for_all_frames_or_one_per_frame(make):
    x = normalised(frames(s=1)).expand(6, -1, -1, -1).contiguous()
    before = x.clone()
    for _ in range(30):
        y = make(per_frame=False)(x)
        assert all(torch.equal(y[0], frame) for frame in y)
    assert any(len({frame.numpy().tobytes() for frame in make(per_frame=True)(x)}) > 1 for _ in range(10))
    assert torch.equal(x, before), "the input is not modified"


def test_frames_draw_independently_with_per_frame():
    x = frames(s=1, h=1, w=3).expand(6, -1, -1, -1).contiguous()
    x[..., 0], x[..., 2] = 1, 2
    agreeing = sum(all(torch.equal(y[0], f) for f in y) for y in (Flip(0.5, True)(x) for _ in range(3000)))
    assert within(1 / 32, agreeing, 3000)


class TestWholeChain:
    def test_without_random_changes_it_equals_the_test_transform(self):
        x = frames(s=3).numpy()
        chain = CrossModalAugmentation(pad=0, flip=0, erasing=0, adaptive_grey=None)
        for info in (VISIBLE, INFRARED):
            assert torch.equal(chain(x, info), Normalise()(x))

    def test_padding_as_large_as_the_frame_is_an_error(self):
        frames = torch.zeros(2, 3, 6, 4, dtype=torch.uint8)
        CrossModalAugmentation(pad=5)(frames, INFRARED)
        with pytest.raises(ConfigError, match=r"pad: expected less than the size of a frame, 6 x 4, got 6"):
            CrossModalAugmentation(pad=6)(frames, INFRARED)

    def test_crop_pads_with_zeros_before_normalisation(self):
        x = np.full((1, 3, 12, 12), 200, dtype=np.uint8)
        chain = CrossModalAugmentation(pad=10, flip=0, erasing=0, adaptive_grey=None)
        values = torch.cat([chain(x, VISIBLE)[:, 0].flatten() for _ in range(10)]).unique()
        expected = torch.tensor([0, 200 / 255]).sub(IMAGENET_MEAN[0]).div(IMAGENET_STD[0])
        assert torch.allclose(values, expected, atol=1e-6)

    def test_channels_change_on_infrared_only(self):
        x = frames(s=2).numpy()
        chain = CrossModalAugmentation(pad=0, flip=0, erasing=0)
        plain = Normalise()(x)
        assert all(torch.equal(chain(x, VISIBLE), plain) for _ in range(20))
        changed = sum(not torch.equal(chain(x, INFRARED), plain) for _ in range(1000))
        assert within(7 / 8, changed, 1000)

    def test_half_of_the_visible_tracklets_exchange_channels(self):
        x = frames(s=4, h=4, w=4).numpy()
        chain = CrossModalAugmentation(0, 0, 0, channel_exchange=0.5, per_frame=True)
        outputs = [chain(x, VISIBLE) for _ in range(1500)]
        equal = [(y[:, 0] == y[:, 1]).flatten(1).all(1) & (y[:, 1] == y[:, 2]).flatten(1).all(1) for y in outputs]
        assert all(e.all() or not e.any() for e in equal), "one choice of pipeline per tracklet"
        assert within(0.5, sum(bool(e.all()) for e in equal), 1500)

    def test_erased_pixels_are_replaced_by_the_channel_operation_too(self):
        # Erasing comes first, so the channel operation can make the three fill values equal.
        x = frames(s=1, h=32, w=32).numpy()
        chain = CrossModalAugmentation(pad=0, flip=0, erasing=1.0)
        fills = set()
        for _ in range(60):
            values = chain(x, INFRARED).flatten().tolist()
            common = max(set(values), key=values.count)
            fills.add(round(common, 4))
        grey = round(sum(weight * fill for weight, fill in zip(LUMA, ERASED, strict=True)), 4)
        assert fills == {*ERASED, grey}

    def test_same_seed_same_frames(self):
        x = frames(s=6, h=32, w=16).numpy()
        chain = CrossModalAugmentation(channel_exchange=0.5, per_frame=True)
        outputs = []
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            outputs.append(torch.cat([chain(x, VISIBLE), chain(x, INFRARED)]))
        assert torch.equal(outputs[0], outputs[1]) and not torch.equal(outputs[0], outputs[2])
        assert outputs[0].dtype == torch.float32 and outputs[0].shape == (12, 3, 32, 16)

    def test_channels_can_be_drawn_separately_from_the_geometry(self):
        x = np.repeat(frames(s=1).numpy(), 6, axis=0)
        chain = CrossModalAugmentation(per_frame=False, channels_per_frame=True, erasing=0, pad=0, flip=0)
        assert any(len({frame.numpy().tobytes() for frame in chain(x, INFRARED)}) > 1 for _ in range(5))
        chain = CrossModalAugmentation(per_frame=True, channels_per_frame=False, erasing=0, pad=0, flip=0)
        assert all(len({frame.numpy().tobytes() for frame in chain(x, INFRARED)}) == 1 for _ in range(5))

    def test_unknown_modality_is_an_error(self):
        with pytest.raises(ValueError, match="thermal"):
            CrossModalAugmentation()(frames().numpy(), ["0001", "thermal", "c1-t1"])


def reference(x, rectangles, sources):
    """Process frame by frame in the order of the public code: normalise, erase, change the normalised channels."""
    out = []
    for frame, (top, left, height, width), source in zip(normalised(x), rectangles, sources, strict=True):
        frame = frame.clone()
        for channel, fill in enumerate(ERASED):
            frame[channel, top : top + height, left : left + width] = fill
        if source < 3:
            frame = frame[source].expand(3, -1, -1)
        elif source == GREY:
            frame = sum(weight * plane for weight, plane in zip(LUMA, frame, strict=True)).expand(3, -1, -1)
        out.append(frame)
    return torch.stack(out)


class OneDevice(TorchDispatchMode):
    """A mode that rejects operations on tensors of two devices, as CUDA does, except for copies."""

    def __torch_dispatch__(self, operation, types, arguments=(), settings=None):
        settings = settings or {}
        devices = {x.device.type for x in (*arguments, *settings.values()) if isinstance(x, torch.Tensor)}
        assert len(devices) < 2 or "copy" in operation.name(), f"{operation.name()} on {devices}"
        return operation(*arguments, **settings)


class TestHalves:
    """The part of a transform that workers run and the part that the device runs (`opengait.data.deferred`)."""

    def test_all_transforms_of_frames_and_masks_can_be_deferred(self):
        transforms = CrossModalAugmentation(), Normalise(), MaskTransform()
        assert all(isinstance(transform, DeferrableTransform) for transform in transforms)

    def test_finish_equals_the_sequence_of_operations(self):
        x = frames(s=10, h=12, w=9)
        rectangles = [(0, 0, 0, 0), (0, 0, 5, 4), (3, 2, 9, 7), (11, 8, 1, 1), (0, 0, 0, 0)] * 2
        sources = [0, 1, 2, GREY, UNCHANGED, UNCHANGED, GREY, 0, 1, 2]
        before = x.clone()
        finished = finish(x, torch.tensor(rectangles), torch.tensor(sources))
        assert torch.equal(x, before), "the input is not modified"
        assert torch.allclose(finished, reference(x, rectangles, sources), atol=1e-6, rtol=0)
        out = torch.empty(10, 3, 12, 9)
        assert finish(x, torch.tensor(rectangles), torch.tensor(sources), out) is out and torch.equal(out, finished)

    @pytest.mark.parametrize("per_frame", [False, True])
    def test_tracklets_can_be_finished_together_or_alone(self, per_frame):
        chain = CrossModalAugmentation(pad=3, channel_exchange=0.5, per_frame=per_frame)
        begun = [chain.begin(frames(s=3, h=20, w=10), info) for info in (VISIBLE, INFRARED) * 12]
        assert all(x.dtype == torch.uint8 and drawn.shape == (3, 5) for x, _, drawn in begun)
        together = chain.finish(torch.cat([x for x, *_ in begun]), torch.cat([drawn for *_, drawn in begun]))
        assert torch.equal(together, torch.cat([chain.finish(x, drawn) for x, _, drawn in begun]))

    def test_both_halves_equal_the_whole(self):
        chain = CrossModalAugmentation(pad=3, channel_exchange=0.5, per_frame=True)
        x = frames(s=4, h=20, w=10).numpy()
        for info in (VISIBLE, INFRARED):
            torch.manual_seed(7)
            whole = chain(x, info)
            torch.manual_seed(7)
            moved, masks, drawn = chain.begin(x, info)
            assert masks is None and torch.equal(chain.finish(moved, drawn), whole)
        plain = Normalise()
        begun, _, drawn = plain.begin(x)
        assert torch.equal(plain.finish(begun, drawn), plain(x))

    @pytest.mark.parametrize("per_frame", [False, True])
    def test_masks_move_with_their_frames_and_do_not_affect_draws(self, per_frame):
        chain = CrossModalAugmentation(pad=3, per_frame=per_frame)
        x = frames(s=4, h=20, w=10)
        for info in (VISIBLE, INFRARED) * 5:
            state = torch.get_rng_state()
            alone, _, expected = chain.begin(x, info)
            torch.set_rng_state(state)
            moved, masks, drawn = chain.begin(x, info, x[:, :1].numpy())
            assert torch.equal(moved, alone) and torch.equal(drawn, expected) and torch.equal(masks, moved[:, :1])

    @pytest.mark.parametrize("per_frame", [False, True])
    def test_order_of_the_draws(self, per_frame):
        """The order is part of the interface, because a seed must reproduce a run."""
        chain = CrossModalAugmentation(pad=2, per_frame=per_frame)
        x = torch.arange(1, 8, dtype=torch.uint8).view(1, 1, 1, 7).expand(5, 3, 9, 7).contiguous()
        for seed in range(20):
            torch.manual_seed(seed)
            moved, _, drawn = chain.begin(x, INFRARED)
            torch.manual_seed(seed)
            draws = 5 if per_frame else 1
            shifts, mirrored = torch.randint(-2, 3, (draws, 2)), torch.rand(draws) < 0.5
            hits = (torch.rand(draws) < 0.5).tolist()
            rectangles = []
            for hit in hits:
                area, aspect, row, column = torch.rand(4, 100, dtype=torch.float64) if hit else torch.zeros(4, 1)
                height = ((0.02 + 0.38 * area) * 63 * (0.3 + (1 / 0.3 - 0.3) * aspect)).sqrt().round()
                width = ((0.02 + 0.38 * area) * 63 / (0.3 + (1 / 0.3 - 0.3) * aspect)).sqrt().round()
                first = ((height < 9) & (width < 7)).nonzero()[0, 0]
                h, w = int(height[first]), int(width[first])
                corner = int(row[first] * (10 - h)), int(column[first] * (8 - w))
                rectangles.append([*corner, h, w] if hit else [0, 0, 0, 0])
            sources = torch.randint(4, (draws,))
            sources[(sources == GREY) & (torch.rand(draws) >= 0.5)] = UNCHANGED
            expected = torch.cat([torch.tensor(rectangles), sources[:, None]], dim=1)
            assert torch.equal(drawn, expected.expand(5, 5))
            for frame in range(5):
                number = frame if per_frame else 0
                middle = moved[frame, 0, 4].tolist()
                line = middle[::-1] if mirrored[number] else middle
                right = int(shifts[number, 1])
                assert line == [value if 1 <= value <= 7 else 0 for value in range(1 - right, 8 - right)]

    def test_both_ways_of_erasing_agree(self):
        rectangles = torch.stack([ChannelErasing(0.7, per_frame=True).draw(1, 14, 11)[0] for _ in range(60)])
        fill = torch.rand(60, 3)
        one, other = (torch.zeros(60, 3, 14, 11) for _ in range(2))
        erase_one_by_one(one, rectangles, fill)
        erase_everywhere(other, rectangles, fill)
        assert torch.equal(one, other)
        assert torch.equal((one[:, 0] != 0).sum((1, 2)), rectangles[:, 2] * rectangles[:, 3])

    def test_all_operations_run_on_the_device_of_the_frames(self):
        # Tensors on the meta device, which have no values, stand in for CUDA's.
        chain = CrossModalAugmentation(pad=3, erasing=1.0, per_frame=True)
        for transform in (chain, Normalise()):
            for _ in range(8):
                begun, _, drawn = transform.begin(frames(s=6, h=20, w=10), INFRARED)
                waiting = Deferred(begun, drawn)[None]
                with OneDevice():
                    done = waiting.finished(transform, torch.device("meta"))
                assert done.device.type == "meta" and done.shape == (1, 6, 3, 20, 10) and done.dtype == torch.float32

    def test_channels_are_taken_within_each_frame(self):
        x = torch.arange(4 * 3 * 2, dtype=torch.float32).view(4, 3, 1, 2)
        taken = torch.tensor([[0, 1, 2], [2, 2, 2], [0, 0, 0], [2, 1, 0]])
        y = take_channels(x, taken)
        assert all(torch.equal(y[i, c], x[i, taken[i, c]]) for i in range(4) for c in range(3))
        assert take_channels(x, taken[:1].expand(4, 3)) is x

    @pytest.mark.cuda
    @pytest.mark.parametrize("per_frame", [False, True])
    def test_cuda_agrees_with_the_cpu(self, per_frame):
        chain = CrossModalAugmentation(pad=3, channel_exchange=0.5, per_frame=per_frame)
        for info in (VISIBLE, INFRARED) * 8:
            x, _, drawn = chain.begin(frames(s=6, h=40, w=20), info)
            on_cpu, on_cuda = chain.finish(x, drawn), chain.finish(x.cuda(), drawn)
            assert on_cuda.device.type == "cuda"
            torch.testing.assert_close(on_cuda.cpu(), on_cpu, atol=1e-6, rtol=0)
