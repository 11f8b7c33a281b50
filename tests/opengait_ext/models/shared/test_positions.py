"""Position tables: the grid of a file, resampling to another grid, and tables that are rejected."""

import logging
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models import load_network
from opengait_ext.models.biggergait.backbone import backbone_config
from opengait_ext.models.shared.positions import resample_positions
from opengait_ext.models.shared.vision_model import FrozenVisionModel
from tests.equations.networks import TINY_VIT, tiny_config, tiny_network
from tests.paths import ROOT

SHIPPED = ROOT / "pretrained/synthetic_vit.safetensors"
DEMO = {"patch_size": 8, "embed_dim": 64, "depth": 4, "num_heads": 4}
NARROW = {"embed_dim": 32, "depth": 1, "num_heads": 2}


def demo_model(weights: Path, height: int, width: int, **options) -> FrozenVisionModel:
    return FrozenVisionModel("vit_tiny_patch16_224", str(weights), [3], (height, width), DEMO, **options)


def resampled(table: torch.Tensor, grid: tuple[int, int], new: tuple[int, int], **options) -> torch.Tensor:
    """Resample the patches' positions by torch alone; one token goes before them."""
    maps = table[:, 1:].unflatten(1, grid).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, **({"size": new} | options), mode="bicubic")
    return torch.cat([table[:, :1], maps.flatten(2).transpose(1, 2)], dim=1)


@pytest.fixture
def bare(tmp_path) -> Path:
    """Write the shipped table as a file that does not state its grid."""
    torch.save(load_file(SHIPPED), tmp_path / "bare.pth")
    return tmp_path / "bare.pth"


@pytest.mark.parametrize("size", [(96, 192), (384, 192), (96, 48), (128, 128), (200, 104), (192, 96)])
def test_the_shipped_table_is_resampled_from_its_own_grid(size):
    table, new = load_file(SHIPPED)["pos_embed"], (size[0] // 8, size[1] // 8)
    expected = table if new == (24, 12) else resampled(table, (24, 12), new, antialias=True)
    assert torch.equal(demo_model(SHIPPED, *size).transformer.pos_embed, expected)


def test_a_table_of_unknown_grid_is_rejected_with_its_shape_or_taken_as_stated(bare, caplog):
    for size in ((96, 192), (384, 192), (96, 48)):
        with pytest.raises(CheckpointError, match=r"bare.pth .*\(1, 289, 64\), for 288 patches.*pretrained_grid"):
            demo_model(bare, *size)
        stated = demo_model(bare, *size, pretrained_grid=[24, 12]).transformer.pos_embed
        assert torch.equal(stated, demo_model(SHIPPED, *size).transformer.pos_embed)
    assert not torch.equal(demo_model(bare, 192, 96, pretrained_grid=[12, 24]).transformer.pos_embed, stated)
    with caplog.at_level(logging.WARNING, "opengait"):
        table = demo_model(bare, 192, 96).transformer.pos_embed
    assert torch.equal(table, load_file(SHIPPED)["pos_embed"]) and "taken as 24 x 12" in caplog.text


@pytest.mark.parametrize("grid", [[24], [24, 12, 1], "24, 12", [24.5, 12], [True, 288], [0, 288], 288, {"rows": 24}])
def test_malformed_grids_are_rejected(bare, tmp_path, grid):
    with pytest.raises(ConfigError, match="pretrained_grid is"):
        demo_model(bare, 192, 96, pretrained_grid=grid)
    save_file(load_file(SHIPPED), tmp_path / "a.safetensors", {"position_grid": str(grid)})
    with pytest.raises(ConfigError, match=r"position_grid of .*a\.safetensors"):
        demo_model(tmp_path / "a.safetensors", 192, 96)


def test_a_grid_of_another_number_of_patches_is_rejected(bare, tmp_path):
    with pytest.raises(CheckpointError, match="288 patches.* 16 x 16 has 256"):
        demo_model(bare, 192, 96, pretrained_grid=[16, 16])
    save_file(load_file(SHIPPED), tmp_path / "a.safetensors", {"position_grid": "12x12"})
    with pytest.raises(CheckpointError, match="12 x 12 has 144"):
        demo_model(tmp_path / "a.safetensors", 96, 192)


# DINOv2's files are on 37 x 37 patches, of 14 pixels, for frames of 518 x 518.
@pytest.mark.parametrize("size", [(448, 224), (224, 448), (518, 518), (112, 56)])
@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("layout", ["DINOv2's", "timm's"])
def test_dinov2s_tables(tmp_path, size, registers, layout):
    name = "vit_small_patch14_reg4_dinov2" if registers else "vit_small_patch14_dinov2"
    torch.manual_seed(0)
    state = timm.create_model(name, num_classes=0, **NARROW).state_dict()
    torch.nn.init.normal_(state["pos_embed"])
    whole = state["pos_embed"] if not registers else torch.cat([torch.zeros(1, 1, 32), state["pos_embed"]], dim=1)
    assert whole.shape == (1, 1370, 32)
    expected, grid = whole, (size[0] // 14, size[1] // 14)
    if grid != (37, 37) and layout == "DINOv2's" and not registers:
        scale = tuple((side + 0.1) / 37 for side in grid)
        expected = resampled(whole, (37, 37), None, size=None, scale_factor=scale)
    elif grid != (37, 37):
        expected = resampled(whole, (37, 37), grid, antialias=True)
    if layout == "DINOv2's":
        state["mask_token"] = torch.zeros(1, 32)
        if registers:
            state["register_tokens"], state["pos_embed"] = state.pop("reg_token"), whole
    torch.save(state, tmp_path / "dinov2.pth")
    model = FrozenVisionModel(name, str(tmp_path / "dinov2.pth"), [0], size, NARROW)
    assert torch.equal(model.transformer.pos_embed, expected[:, 1:] if registers else expected)


def test_a_file_with_registers_in_a_model_without_is_named_by_its_own_entries(tmp_path):
    state = timm.create_model("vit_small_patch14_reg4_dinov2", num_classes=0, **NARROW).state_dict()
    state |= {"mask_token": torch.zeros(1, 32), "register_tokens": state.pop("reg_token")}
    state["pos_embed"] = torch.zeros(1, 1370, 32)
    torch.save(state, tmp_path / "reg.pth")
    with pytest.raises(CheckpointError, match="reg_token is unknown"):
        FrozenVisionModel("vit_small_patch14_dinov2", str(tmp_path / "reg.pth"), [0], (448, 224), NARROW)


@pytest.mark.parametrize("shape", [(1, 289, 32), (289, 64), (1, 1, 64), (2, 289, 64), (2, 3, 4, 5, 6)])
def test_tables_of_other_shapes_are_rejected_with_their_shape(tmp_path, shape):
    torch.save(load_file(SHIPPED) | {"pos_embed": torch.zeros(shape)}, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match=r"odd.pth .*\(" + ", ".join(map(str, shape))):
        demo_model(tmp_path / "odd.pth", 192, 96)


@pytest.mark.parametrize("kind", ["clip_224.openai", "siglip_224", "224.mae"])
def test_published_tables_of_other_models_are_square(tmp_path, kind):
    """A file for larger frames than timm's settings say is recognised by its square grid."""
    name = f"vit_base_patch16_{kind}"
    for pixels in (224, 448):
        state = timm.create_model(name, num_classes=0, img_size=pixels, **NARROW).state_dict()
        torch.save(state, tmp_path / "vit.pth")
        side, table = pixels // 16, state["pos_embed"]
        grid, tokens = (8, 16), table.shape[1] - side * side
        model = FrozenVisionModel(name, str(tmp_path / "vit.pth"), [0], (128, 256), NARROW)
        assert torch.equal(model.transformer.pos_embed, resample_positions(table, (side, side), grid, antialias=True))
        assert torch.equal(model.transformer.pos_embed[:, :tokens], table[:, :tokens])


def test_biggergaits_table_must_be_square(tmp_path):
    state = timm.create_model(
        "vit_small_patch14_dinov2", img_size=(24 * 14, 12 * 14), num_classes=0, **NARROW
    ).state_dict()
    torch.save(state | {"mask_token": torch.zeros(1, 32)}, tmp_path / "vit.pth")
    with pytest.raises(CheckpointError, match="vit.pth has positions of 288 patches"):
        backbone_config(tmp_path / "vit.pth")


def test_a_checkpoint_of_another_grid_is_rejected():
    """Both grids have 32 patches."""
    network = tiny_network()
    content = {"model": {f"network.{name}": value for name, value in network.state_dict().items()}}
    wide = {"model_cfg": tiny_config(vision_model=TINY_VIT | {"image_size": [64, 128]})}
    with pytest.raises(CheckpointError, match="grid of 8 x 4 patches.* has 4 x 8"):
        load_network(wide, content, "cpu")
    with pytest.raises(CheckpointError, match="grid of 8 x 4 patches.* has 4 x 8"):
        tiny_network(vision_model=wide["model_cfg"]["vision_model"]).load_state_dict(network.state_dict())
    del content["model"]["network.vision_model.position_grid"]
    assert load_network({"model_cfg": tiny_config()}, content, "cpu").vision_model.position_grid.tolist() == [8, 4]
