"""The demo's vision transformer: objective, initialisation, training and the shipped file."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml

from opengait_ext.data.augment import Normalise
from opengait_ext.models.dinogrl.losses import mask_loss
from opengait_ext.models.shared.foreground import centred_channel
from opengait_ext.models.shared.token_encoder import TokenEncoder
from opengait_ext.models.shared.tokens import encode_tokens
from opengait_ext.models.shared.transformer import build_transformer
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from opengait_ext.runs.silhouettes import intersection_over_union
from pretrained.synthetic_vit import PretrainSettings, pretrain
from pretrained.synthetic_vit.frames import load_frames
from pretrained.synthetic_vit.objective import Objective
from pretrained.synthetic_vit.start import start_as_convolution
from pretrained.synthetic_vit.trainer import augment
from tests.paths import ROOT

pytestmark = pytest.mark.slow

SMALL = PretrainSettings(
    arguments={"patch_size": 16, "embed_dim": 16, "depth": 1, "num_heads": 2},
    image_size=(64, 32),
    iterations=30,
    batch=8,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Draw frames and silhouettes of a few people with a seed that the shipped file was not trained on."""
    from opengait_ext.data.synthetic_vvi import SyntheticConfig, generate

    root = tmp_path_factory.mktemp("world")
    generate(root, SyntheticConfig(train_identities=8, test_identities=1, frames=14, size=(128, 64), seed=77))
    return load_frames(root, (128, 64), every=4)


def test_objective_by_hand():
    objective = Objective(2, (2, 1))
    with torch.no_grad():
        objective.centres.copy_(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))
        for head in (objective.foreground, objective.position):
            head.weight.zero_()
            head.bias.zero_()
    silhouettes = torch.zeros(1, 1, 4, 2)
    silhouettes[:, :, :2] = 1
    tokens = torch.tensor([[[2.0, 4.0], [1.0, 0.0]]])
    terms = objective(tokens, silhouettes)
    assert terms["foreground"].item() == pytest.approx(np.log(2))
    assert terms["compactness"].item() == pytest.approx(1 / 4), "the covered token is at its centre, the other 1 off"
    # The covered patch lies at row -1 and, alone in its row, at column -1; the head says (0, 0).
    assert terms["parts"].item() == pytest.approx(2 / 4)


def test_a_half_covered_patch_is_at_the_power_of_one_half():
    objective = Objective(1, (1, 1))
    with torch.no_grad():
        objective.centres.copy_(torch.tensor([[0.0], [1.0]]))
    silhouettes = torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    at_power = torch.full((1, 1, 1), 0.5**Objective.POWER)
    assert objective(at_power, silhouettes)["compactness"].item() == pytest.approx(0, abs=1e-12)


def test_frames_and_masks_are_augmented_together():
    torch.manual_seed(0)
    masks = torch.zeros(4, 1, 20, 20)
    masks[:, :, 5:9, 3:12] = 1
    frames = (masks * 255).to(torch.uint8).expand(-1, 3, -1, -1)
    pictures, moved = augment(frames, masks)
    for picture, mask in zip(pictures.mean(dim=1), moved[:, 0], strict=True):
        assert torch.equal(picture > picture.mean(), mask > 0.5)


def test_attention_is_local_at_the_start():
    torch.manual_seed(0)
    transformer = build_transformer("vit_tiny_patch16_224", (128, 128), {"embed_dim": 32, "depth": 1, "num_heads": 2})
    start_as_convolution(transformer)
    attention = transformer.blocks[0].attn
    codes = transformer.blocks[0].norm1(transformer.pos_embed[0, 1:])
    query, key, _ = attention.qkv(codes).unflatten(-1, (3, 2, 16)).unbind(1)
    scores = torch.einsum("qhc,khc->qk", query, key).view(64, 8, 8)
    centre = scores[27, 3, 3]
    assert centre > scores[27, 3, 6] and centre > scores[27, 6, 3]


def test_a_short_run_learns_and_is_reproducible(world):
    frames, silhouettes = world
    _, losses = pretrain(frames, silhouettes, SMALL)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert pretrain(frames, silhouettes, SMALL)[1] == losses


def test_the_shipped_file_separates_people_from_the_background(world):
    """E_m, trained on L_mask alone as in SASG, finds the silhouettes of people drawn with another seed."""
    settings = yaml.safe_load((ROOT / "configs/dinogrl/demo.yaml").read_text())["model_cfg"]["vision_model"]
    assert (ROOT / settings["weights"]).stat().st_size < 4_000_000
    model = FrozenVisionModel(**settings)
    frames, silhouettes = world
    features = model(Normalise()(frames)).last
    torch.manual_seed(0)
    encoder = TokenEncoder(features.shape[-1], 2, decoder=True)
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        batch = features[torch.randint(len(features), (64,))]
        maps = encode_tokens(encoder, batch, model.grid).softmax(dim=1)
        loss = mask_loss(encoder.decode(maps.flatten(2).transpose(1, 2)), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    logits = encode_tokens(encoder.eval(), features, model.grid)
    large = F.interpolate(logits, size=(128, 64), mode="bilinear", align_corners=False).softmax(dim=1)
    masks = centred_channel(large)[:, 0].detach().numpy() > 0.5
    overlap = np.mean([intersection_over_union(m, s) for m, s in zip(masks, silhouettes, strict=True)])
    assert overlap > 0.7
