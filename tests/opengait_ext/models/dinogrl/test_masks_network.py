"""GivenMasks in place of SASG, alone and in DinoGRL."""

import numpy as np
import pytest
import torch

from opengait.errors import ConfigError, DataError
from opengait_ext.models import DinoGRLNet
from opengait_ext.models.dinogrl.given_masks import GivenMasks
from opengait_ext.models.dinogrl.model import loss_terms
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from opengait_ext.runs.silhouettes import load_silhouette_network, silhouettes_of
from tests.opengait_ext.models.dinogrl.tiny import MODEL, SASG, given

MODALITY = torch.tensor([0, 1])


@pytest.fixture
def net() -> DinoGRLNet:
    torch.manual_seed(0)
    return DinoGRLNet.from_config(MODEL)


class TestGivenMasks:
    def test_the_mask_is_the_area_average(self):
        masks = given()[1].flatten(0, 1)
        silhouettes = GivenMasks(size=(16, 8), channels=8).eval()(masks)
        blocks = masks.numpy().reshape(6, 16, 4, 8, 4).mean(axis=(2, 4))
        np.testing.assert_allclose(silhouettes.mask[:, 0].numpy(), blocks, atol=1e-6)
        assert silhouettes.enriched.shape == (6, 8, 16, 8)
        assert (
            silhouettes.decoded is silhouettes.target is silhouettes.gait_prior is silhouettes.appearance_prior is None
        )

    def test_the_enriched_silhouette_is_the_mask_times_the_stem(self):
        torch.manual_seed(0)
        part = GivenMasks(size=(16, 8), channels=8).eval()
        masks = given()[1].flatten(0, 1)
        silhouettes = part(masks)
        assert (silhouettes.enriched[:, :, :4] == 0).all() and silhouettes.enriched[:, :, 6:].abs().sum() > 0
        torch.testing.assert_close(silhouettes.enriched, silhouettes.mask * part.stem(silhouettes.mask))

    def test_the_mask_is_the_union_of_the_groups(self):
        torch.manual_seed(0)
        part = GivenMasks(maps=2, size=(16, 8), channels=8).eval()
        whole = given()[1].flatten(0, 1)
        upper, lower = whole.clone(), whole.clone()
        upper[..., 40:, :], lower[..., :42, :] = 0, 0  # rows 40 and 41 are background
        silhouettes = part(torch.cat([upper, lower], dim=1))
        union = torch.nn.functional.avg_pool2d(torch.maximum(upper, lower), 4)
        torch.testing.assert_close(silhouettes.mask, union)
        swapped = part(torch.cat([lower, upper], dim=1))
        torch.testing.assert_close(swapped.mask, union)
        assert not torch.allclose(swapped.enriched, silhouettes.enriched)

    def test_borders_between_groups_are_inside_the_mask(self):
        masks = torch.zeros(1, 2, 64, 32)
        masks[:, 0, :30], masks[:, 1, 30:] = 1, 1
        assert (GivenMasks(maps=2, size=(16, 8), channels=8).eval()(masks).mask == 1).all()

    def test_frames_are_independent(self):
        torch.manual_seed(0)
        part = GivenMasks(size=(64, 32), channels=8).eval()
        masks = given()[1].flatten(0, 1)
        torch.testing.assert_close(part(masks[2:3]).enriched, part(masks).enriched[2:3])
        torch.testing.assert_close(part(masks).mask, masks)

    def test_an_unexpected_number_of_maps(self):
        with pytest.raises(DataError, match="mask has 2 maps, but model_cfg.silhouette.maps is 1"):
            GivenMasks()(torch.zeros(1, 2, 64, 32))


class TestNetwork:
    def test_both_streams_and_pbmge_without_a_vision_model(self, net):
        frames, masks = given()
        output = net(frames, MODALITY, masks)
        assert output.descriptor.shape == (2, 8, 6)
        assert net.vision_model is None
        assert not [part for part in net.modules() if isinstance(part, FrozenVisionModel)]
        terms = loss_terms(output, torch.tensor([0, 1]))
        assert sorted(terms) == ["appearance_identity", "appearance_triplet", "gait_identity", "gait_triplet"]

    def test_only_the_gait_stream_reads_the_masks(self, net):
        net.eval()
        frames, masks = given()
        one, two = net(frames, MODALITY, masks), net(frames, MODALITY, masks.flip(-1) * 0.5)
        assert torch.equal(one.appearance.parts, two.appearance.parts)
        assert not torch.allclose(one.gait.parts, two.gait.parts, atol=1e-4)
        other = net(frames + 1, MODALITY, masks)
        assert torch.equal(one.gait.parts, other.gait.parts)
        alone = net(frames[1:], MODALITY[1:], masks[1:])
        torch.testing.assert_close(alone.descriptor, one.descriptor[1:], atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize("joint", [True, False])
    def test_the_stem_learns_with_the_gait_stream(self, joint):
        # Like the fusion in SASG, the stem belongs to the gait stream; there are no encoders for joint learning.
        torch.manual_seed(0)
        net = DinoGRLNet.from_config(MODEL | {"joint_learning": joint})
        output = net(given()[0], MODALITY, given()[1])
        output.gait.supervised.square().sum().backward()
        assert all(bool(parameter.grad.any()) for parameter in net.silhouette_generator.parameters())

    def test_a_null_removes_a_setting_of_the_base_file(self):
        model = MODEL | {"silhouette": MODEL["silhouette"] | {"priors": None}}
        assert DinoGRLNet.from_config(model).silhouette_generator.size == (16, 8)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (SASG | {"silhouette": {"type": "mask"}}, "silhouette.type is 'mask'; expected"),
            (SASG | {"silhouette": "masks"}, "model_cfg.silhouette is 'masks'"),
            ({"silhouette": {"type": "masks", "priors": 4}}, "model_cfg.silhouette has an unknown key 'priors'"),
            ({"vision_model": SASG["vision_model"]}, "model_cfg.vision_model is not used"),
        ],
    )
    def test_invalid_settings_are_named(self, changes, message):
        with pytest.raises(ConfigError, match=message):
            DinoGRLNet.from_config(MODEL | changes)

    def test_missing_and_unexpected_masks(self, net):
        frames, masks = given()
        with pytest.raises(ConfigError, match=r"data_cfg\.mask_root"):
            net(frames, MODALITY)
        with pytest.raises(ConfigError, match=r"remove data_cfg\.mask_root"):
            DinoGRLNet.from_config(MODEL | SASG)(frames, MODALITY, masks)

    def test_given_masks_are_not_exported(self, net, tmp_path):
        with pytest.raises(ConfigError, match="vvi given-silhouettes"):
            load_silhouette_network({"model_cfg": {"model": "DinoGRL", **MODEL}}, tmp_path / "none.pt", "cpu")
        with pytest.raises(ConfigError, match=r"data_cfg\.mask_root"):
            silhouettes_of(net.eval(), np.zeros((1, 3, 64, 32), np.uint8))
