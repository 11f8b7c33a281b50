"""Eq. 4 and 5: the mask, its foreground channel, and the loss that keeps the semantics."""

import torch

from opengait_ext.models.dinogrl.losses import mask_loss
from opengait_ext.models.dinogrl.silhouette import SilhouetteGenerator
from opengait_ext.models.shared.foreground import centred_channel, covered_tokens
from opengait_ext.models.shared.token_encoder import TokenEncoder
from opengait_ext.models.shared.tokens import encode_tokens
from opengait_ext.models.shared.vision_model import VisionFeatures


def partition(height: int = 20, width: int = 10) -> torch.Tensor:
    """Return probabilities (1, 2, h, w) whose channel 1 is dense in the middle."""
    second = torch.full((height, width), 0.1)
    second[5:15, 3:7] = 0.9
    return torch.stack([1 - second, second])[None]


def test_mask_is_softmax_of_a_linear_map_of_normalised_tokens():
    torch.manual_seed(0)
    encoder = TokenEncoder(5, 2, decoder=True).train()
    tokens = 3 + 2 * torch.randn(4, 6, 5)
    flat = tokens.reshape(24, 5)
    normalised = (flat - flat.mean(0)) / (flat.var(0, unbiased=False) + 1e-5).sqrt()
    logits = normalised @ encoder.down_sampling.weight.T + encoder.down_sampling.bias
    expected = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    output = encode_tokens(encoder, tokens, (3, 2)).softmax(dim=1)
    assert output.shape == (4, 2, 3, 2)
    # Token t of a frame lies in row t // 2 and column t % 2.
    assert torch.allclose(output.flatten(2).transpose(1, 2).reshape(24, 2), expected, atol=1e-5)


def test_the_centred_channel_is_chosen_in_either_order():
    probabilities = partition()
    chosen = centred_channel(probabilities)
    assert torch.equal(chosen[:, 0], probabilities[:, 1])
    assert torch.equal(centred_channel(probabilities.flip(1)), chosen)
    both = torch.cat([probabilities, probabilities.flip(1)])
    assert torch.equal(centred_channel(both), torch.cat([chosen, chosen]))


def test_only_the_chosen_channel_gets_a_gradient():
    probabilities = partition().requires_grad_()
    centred_channel(probabilities).sum().backward()
    assert probabilities.grad[:, 1].eq(1).all()
    assert probabilities.grad[:, 0].eq(0).all()


def test_covered_tokens_are_the_rounded_mask_dilated_by_one():
    mask = torch.zeros(2, 1, 5, 4)
    mask[0, 0, 2, 1] = 0.6
    mask[0, 0, 0, 3] = 0.4
    covered = covered_tokens(mask)
    expected = torch.zeros(5, 4, dtype=torch.bool)
    expected[1:4, 0:3] = True
    assert torch.equal(covered[0, 0], expected)
    assert covered[1].all(), "an empty frame keeps its tokens"


def test_mask_loss_is_the_mean_norm_over_frames():
    decoded = torch.zeros(2, 2, 2)
    target = torch.tensor([[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 12.0]]])
    assert mask_loss(decoded, target).item() == (5 + 12) / 2


def test_mask_loss_has_a_finite_gradient_at_zero():
    decoded = torch.zeros(1, 2, 2, requires_grad=True)
    mask_loss(decoded, torch.zeros(1, 2, 2)).backward()
    assert decoded.grad.isfinite().all()


def test_mask_loss_alone_separates_two_clusters_of_tokens():
    """Eq. 5 makes E_m cluster the frozen features, so the mask emerges without labels."""
    torch.manual_seed(0)
    person = torch.zeros(8, 4, dtype=torch.bool)
    person[2:6, 1:3] = True
    centres = torch.randn(2, 16) * 2
    tokens = centres[person.flatten().long()] + 0.3 * torch.randn(32, 32, 16)
    features = VisionFeatures(last=tokens, layers=tokens, grid=(8, 4))
    generator = SilhouetteGenerator(16, layers=1, size=(8, 4), priors=2, channels=4)
    optimiser = torch.optim.SGD(generator.mask_encoder.parameters(), lr=0.02, momentum=0.9)
    for _ in range(60):
        out = generator(features)
        loss = mask_loss(out.decoded, out.target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    mask = generator(features).mask[:, 0] > 0.5
    assert (mask == person).float().mean() > 0.98
