"""CLIP's towers: weight files with OpenAI's names, the resampled positions, and what is refused."""

import subprocess
import sys

import pytest
import safetensors.torch
import torch

from opengait.errors import CheckpointError, ConfigError
from opengait_ext.models.shared.clip import build_clip, import_open_clip

SIZES = {
    "embed_dim": 8,
    "vision_cfg": {"width": 12, "layers": 2, "head_width": 6, "patch_size": 8},
    "text_cfg": {"width": 8, "heads": 2, "layers": 2},
}


def pretrained() -> dict[str, torch.Tensor]:
    """Return seeded weights of a tiny CLIP for 24 x 24 pixels, in half precision as OpenAI's are."""
    torch.manual_seed(0)
    state = build_clip(image_size=(24, 24), arguments=SIZES).state_dict()
    return {name: torch.randn_like(value).half() for name, value in state.items()}


def bilinear(table: torch.Tensor, side: int, rows: int, columns: int) -> torch.Tensor:
    """Return a square table of positions on another grid, entry by entry, by the distances of the cells' centres."""
    entries = []
    for row in range(rows):
        for column in range(columns):
            total = 0.0
            places = [(i + 0.5) * side / n - 0.5 for i, n in ((row, rows), (column, columns))]
            y, x = (max(place, 0.0) for place in places)
            for top, wy in ((int(y), 1 - (y - int(y))), (min(int(y) + 1, side - 1), y - int(y))):
                for left, wx in ((int(x), 1 - (x - int(x))), (min(int(x) + 1, side - 1), x - int(x))):
                    total = total + wy * wx * table[top * side + left]
            entries.append(total)
    return torch.stack(entries)


def test_weights_arrive_and_positions_are_resampled(tmp_path):
    state = pretrained()
    numbers = {name: torch.tensor(24) for name in ("input_resolution", "context_length", "vocab_size")}
    torch.save(state | numbers, tmp_path / "clip.pt")
    clip = build_clip(weights=str(tmp_path / "clip.pt"), image_size=(40, 16), arguments=SIZES)
    loaded = clip.state_dict()
    positions = "visual.positional_embedding"
    for name, value in state.items():
        if name != positions:
            assert torch.equal(loaded[name], value.float()), name
    table = state[positions].float()
    expected = torch.cat([table[:1], bilinear(table[1:], 3, 5, 2)])
    torch.testing.assert_close(loaded[positions], expected, atol=2e-3, rtol=0)
    assert loaded[positions].shape == (11, 12)


def test_a_table_of_the_models_grid_is_taken_as_it_is(tmp_path):
    state = pretrained()
    state["visual.positional_embedding"] = torch.randn(11, 12)
    safetensors.torch.save_file(state, tmp_path / "clip.safetensors")
    build = {"weights": str(tmp_path / "clip.safetensors"), "arguments": SIZES}
    clip = build_clip(image_size=(40, 16), **build)
    assert torch.equal(clip.visual.positional_embedding, state["visual.positional_embedding"])
    with pytest.raises(CheckpointError, match=r"10 patches; expected a square, or 2 x 2"):
        build_clip(image_size=(16, 16), **build)


def test_files_of_other_models_are_refused(tmp_path):
    state = pretrained()
    del state["visual.proj"]
    torch.save(state, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=r"clip\.pt does not fit CLIP ViT-B-16-quickgelu: visual.proj is missing"):
        build_clip(weights=str(tmp_path / "clip.pt"), image_size=(40, 16), arguments=SIZES)
    with pytest.raises(CheckpointError, match=r"nowhere\.pt"):
        build_clip(weights="nowhere.pt", arguments=SIZES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "ViT-B-17"}, "ViT-B-17.*list_models"),
        ({"image_size": (40, 20)}, r"\[40, 20\] is not a multiple of ViT-B-16-quickgelu's patch size, \[8, 8\]"),
        ({"arguments": {"vision_cfg": {"wide": 3}}}, "cannot build ViT-B-16-quickgelu.*wide"),
        ({"name": "RN50", "image_size": (224, 224), "arguments": None}, "RN50 is not a plain vision transformer"),
    ],
)
def test_settings_that_build_no_tower(changes, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message):
        build_clip(**{"image_size": (40, 16), "arguments": SIZES, **changes})


def test_without_open_clip_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ConfigError, match=r'pip install "opengait-dinogrl\[clip\]"'):
        import_open_clip()


def test_an_open_clip_with_the_batch_second_is_refused(monkeypatch):
    library = import_open_clip()
    made = library.CLIP

    def older(**settings):
        model = made(**settings)
        model.visual.transformer.resblocks[0].attn.batch_first = False
        return model

    monkeypatch.setattr(library, "CLIP", older)
    with torch.device("meta"), pytest.raises(ConfigError, match="too old: pip install"):
        build_clip(image_size=(40, 16), arguments=SIZES)


@pytest.mark.slow
def test_everything_else_works_without_open_clip():
    code = "\n".join(
        [
            "import sys; sys.modules['open_clip'] = None",
            "import opengait_ext; opengait_ext.register()",
            "import opengait_ext.models, opengait_ext.models.vld.model, opengait_ext.checkpoints",
            "from opengait.config import load_config",
            "load_config('configs/vld/hitsz.yaml')",
        ]
    )
    subprocess.run([sys.executable, "-c", code], check=True)
