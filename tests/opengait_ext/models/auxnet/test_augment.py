"""AuxNet's augmentation: crops of every frame, one mirroring of a pair."""

import pytest
import torch

from opengait.data.collate_fn import CollateFn
from opengait.errors import ConfigError
from opengait_ext.models.auxnet.augment import PairAugmentation

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PAD, HEIGHT, WIDTH = 2, 8, 6


def crops(frame: torch.Tensor) -> dict[tuple[int, int, bool], torch.Tensor]:
    """Return every crop of a frame (3, h, w), normalised, by its shift and whether it is mirrored."""
    padded = torch.zeros(3, HEIGHT + 2 * PAD, WIDTH + 2 * PAD)
    padded[:, PAD : PAD + HEIGHT, PAD : PAD + WIDTH] = frame
    out = {}
    for down in range(-PAD, PAD + 1):
        for right in range(-PAD, PAD + 1):
            part = padded[:, PAD - down : PAD - down + HEIGHT, PAD - right : PAD - right + WIDTH]
            for mirrored in (False, True):
                x = part.flip(-1) if mirrored else part
                out[down, right, mirrored] = torch.stack([(x[c] / 255 - MEAN[c]) / STD[c] for c in range(3)])
    return out


def choices(frames: torch.Tensor, result: torch.Tensor) -> list[tuple[int, int, bool]]:
    """Return the shift and mirroring of each frame of a result; no other crop gives these values."""
    made = []
    for frame, values in zip(frames, result, strict=True):
        (choice,) = (key for key, x in crops(frame).items() if torch.allclose(x, values, atol=1e-5))
        made.append(choice)
    return made


def frames(count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, 3, HEIGHT, WIDTH), generator=generator, dtype=torch.uint8)


def augmented(modality: str, seed: int) -> list[tuple[int, int, bool]]:
    """Return the choices for a tracklet whose draws have this seed."""
    collate = CollateFn(["7"], {"sample_type": "fixed_uniform", "frames_num_fixed": 6}, [PairAugmentation(PAD)])
    torch.manual_seed(seed)
    seqs, *_ = collate([([frames().numpy()], ["7", modality, "c1-t1", []])])
    return choices(frames(), PairAugmentation(PAD).finish(seqs[0].frames[0], seqs[0].drawn[0]))


def test_a_pair_is_mirrored_alike_and_cropped_frame_by_frame():
    mirrored = 0
    for seed in range(40):
        pair = [augmented(modality, seed) for modality in ("visible", "infrared")]
        assert len({choice[2] for tracklet in pair for choice in tracklet}) == 1
        mirrored += pair[0][0][2]
        shifts = [tuple(choice[:2] for choice in tracklet) for tracklet in pair]
        assert shifts[0] != shifts[1] and all(len(set(tracklet)) > 1 for tracklet in shifts)
    assert 10 < mirrored < 30


def test_crops_are_uniform():
    torch.manual_seed(0)
    x = frames(500)
    seen = choices(x, PairAugmentation(PAD, flip=0.0)(x, ["7", "infrared", "c1"]))
    counts = {choice: seen.count(choice) for choice in seen}
    assert len(counts) == 25 and max(counts.values()) < 40


def test_masks_move_with_the_frames():
    torch.manual_seed(0)
    x = frames()
    moved, masks, _ = PairAugmentation(PAD).begin(x, ["7", "visible", "c1"], x)
    assert torch.equal(moved, masks)


def test_a_pad_as_large_as_the_frame_is_an_error():
    with pytest.raises(ConfigError, match=r"PairAugmentation\.pad.*8 x 6, got 8"):
        PairAugmentation(8)(frames(), ["7", "visible", "c1"])
