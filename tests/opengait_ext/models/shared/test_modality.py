"""The modality of each frame, from that of its tracklet."""

import torch

from opengait_ext.models.shared.modality import per_frame


def test_frames_have_the_modality_of_their_tracklet():
    modality = torch.tensor([1, 0, 1])
    assert per_frame(modality, torch.empty(3, 2, 3, 8, 4).shape).tolist() == [1, 1, 0, 0, 1, 1]
    assert per_frame(modality, (3, 1)).tolist() == [1, 0, 1]
