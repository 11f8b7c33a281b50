"""VLD's network against its description written with loops, its sizes, and its limits."""

import pytest
import torch

from opengait.errors import ConfigError
from opengait_ext.models.vld.hub import SpaceTimeHub
from opengait_ext.models.vld.network import VLDNet
from opengait_ext.models.vld.text import PROMPT, split_prompt
from tests.opengait_ext.models.vld.tiny import block, model_cfg, network, norm, tracklets, written_out

HUB, ATTENTION = "hub.prompts", "hub_attention.attention"


@pytest.mark.parametrize("training", [False, True])
def test_the_vectors_are_those_of_the_description(training):
    net = network().train(training)
    frames = tracklets(2)
    output = net(frames)
    for number, clip in enumerate(frames):
        expected = written_out(net.state_dict(), clip, HUB, ATTENTION)
        for name, value in expected.items():
            torch.testing.assert_close(getattr(output, name)[number], value, msg=name)
        descriptor = torch.cat([expected["visual"], expected["hub"]])
        torch.testing.assert_close(output.descriptor[number, :, 0], descriptor)


def test_scores_in_training_are_those_of_necks_and_texts():
    net = network()
    output = net(tracklets(4))
    for name in ("visual", "projected", "hub"):
        x, neck = getattr(output, name), net.necks[name]
        spread = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
        expected = (spread * neck.norm.weight + neck.norm.bias) @ neck.classifier.weight.T
        torch.testing.assert_close(output.logits[name], expected)
    texts = texts_written_out(net)
    torch.testing.assert_close(output.logits["text"], output.projected @ texts.T)
    cosine = network(text_scale=100.0)(tracklets(4))
    expected = torch.stack(
        [torch.stack([100 * (p @ text) / (p.norm() * text.norm()) for text in texts]) for p in cosine.projected]
    )
    torch.testing.assert_close(cosine.logits["text"], expected)
    assert net.eval()(tracklets(1)).logits is None


def texts_written_out(net: VLDNet) -> torch.Tensor:
    """Return the vectors of all texts, padded by tokens that nobody reads, as CLIP pads them."""
    tower = net.text_encoder.state_dict()
    vectors = []
    for learned in net.texts.tokens:
        tokens = torch.cat([tower["prefix"], learned, tower["suffix"]])
        end = len(tokens) - 1
        x = torch.cat([tokens + tower["positional_embedding"], torch.full((3, 8), 7.0, dtype=torch.float64)])
        for number in range(2):
            x = block(tower, f"transformer.resblocks.{number}", x, heads=2, causal=True)
        vectors.append(norm(tower, "ln_final", x[end]) @ tower["text_projection"])
    return torch.stack(vectors)


def test_tokens_of_the_prompt():
    # CLIP's vocabulary: 49406 and 49407 begin and end a text, 320 is "a", 269 is a full stop.
    before, learned, after = split_prompt(PROMPT)
    assert before == [49406, 320] and learned == 4
    assert after == [2533, 21267, 530, 2212, 575, 537, 930, 5892, 269, 49407]
    assert split_prompt("X X person")[:2] == ([49406], 2)
    for prompt in ("A person.", "A X person X now."):
        with pytest.raises(ConfigError, match="model_cfg.prompt"):
            split_prompt(prompt)
    with pytest.raises(ConfigError, match="tokens, but the text tower reads 77"):
        network(prompt="A X " + "person " * 90)


def test_every_hub_token_visits_every_frame():
    hub = SpaceTimeHub(3, 2)
    tokens = torch.zeros(6, 4, 2)  # two tracklets of three frames, one patch each
    entered = hub.enter(tokens)
    assert entered.shape == (6, 7, 2) and torch.equal(entered[:, :4], tokens)
    for row in range(6):
        assert torch.equal(entered[row, 4:], hub.prompts[row % 3])
    swapped = hub.exchange(entered)
    for tracklet in range(2):
        for t in range(3):
            for p in range(3):
                assert torch.equal(swapped[3 * tracklet + t, 4 + p], entered[3 * tracklet + p, 4 + t])
    assert torch.equal(hub.exchange(swapped), entered)


def test_tracklets_do_not_depend_on_each_other_and_frames_do():
    net = network().eval()
    frames = tracklets(3)
    whole = net(frames)
    torch.testing.assert_close(net(frames[[2, 0]]).descriptor, whole.descriptor[[2, 0]])
    other = frames.clone()
    other[0, 2] += 1.0
    changed = net(other)
    # Only the hub carries the third frame to the first one's class token.
    before, after = (net.encode(clip[0])[1][0, 0] for clip in (frames, other))
    assert not torch.allclose(before, after)
    torch.testing.assert_close(changed.descriptor[1:], whole.descriptor[1:])


def test_one_frame():
    net = network(frames=1).eval()
    clip = tracklets(1, frames=1)
    expected = written_out(net.state_dict(), clip[0], HUB, ATTENTION)
    output = net(clip)
    torch.testing.assert_close(output.hub[0], expected["hub"])
    torch.testing.assert_close(output.early[0], expected["early"])


def test_gradients_reach_everything_but_the_text_tower():
    net = network()
    output = net(tracklets(3))
    sum(scores.square().mean() for scores in output.logits.values()).backward()
    for name, parameter in net.named_parameters():
        frozen = name.startswith("text_encoder.")
        assert parameter.requires_grad != frozen and (parameter.grad is None) == frozen, name
        assert frozen or parameter.grad.abs().sum() > 0, name


def test_parameters_of_the_published_sizes():
    with torch.device("meta"):
        net = VLDNet.from_config({"model": "VLD", "num_classes": 500})

    def count(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    # OpenAI's ViT-B/16 has 86,192,640 in its image tower, whose 197 positions become 18 x 9 + 1.
    assert count(net.image_encoder) == 86_192_640 - (197 - 163) * 768
    assert net.image_encoder.positional_embedding.shape == (163, 768)
    # 12 blocks of width 512, the last norm, the projection, and 16 of 77 positions.
    assert count(net.text_encoder) == 12 * 3_152_384 + 2 * 512 + 512 * 512 + 16 * 512
    assert net.hub.prompts.shape == (6, 6, 768) and net.texts.tokens.shape == (500, 4, 512)
    assert net.hub_attention.attention.num_heads == 12 and len(net.image_encoder.transformer.resblocks) == 12
    assert count(net.necks) == (2 * 768 + 512) * 502
    assert round(sum(p.numel() for p in net.parameters() if p.requires_grad) / 1e6, 1) == 90.6


def test_a_test_needs_no_texts():
    net = VLDNet.from_config(model_cfg(num_classes=None))
    assert not any(name.startswith(VLDNet.classifiers) for name in net.state_dict())
    assert net(tracklets(2).float()).logits is None


@pytest.mark.parametrize(
    ("frames", "message"),
    [((2, 2, 3, 32, 16), "3 frames, got tracklets of 2"), ((2, 3, 3, 32, 24), "32 x 16 pixels, got 32 x 24")],
)
def test_other_frames_are_refused(frames, message):
    with pytest.raises(ConfigError, match=message):
        network()(torch.zeros(frames, dtype=torch.float64))


def test_a_single_tracklet_cannot_train():
    with pytest.raises(ConfigError):
        network()(tracklets(1))


def test_settings_that_do_not_fit():
    with pytest.raises(ConfigError, match="hub_blocks is 5.*4 blocks"):
        network(hub_blocks=5)
    with pytest.raises(ConfigError, match="model_cfg.clip"):
        VLDNet.from_config({"clip": "ViT-B-16"})
