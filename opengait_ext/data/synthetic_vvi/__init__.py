"""A synthetic dataset of walking people, in HITSZ-VCM's layout; see datasets/synthetic_vvi/README.md."""

from opengait_ext.data.synthetic_vvi.generate import generate
from opengait_ext.data.synthetic_vvi.settings import BENCHMARK, DEMO, PRESETS, SettingsError, SyntheticConfig

__all__ = ["BENCHMARK", "DEMO", "PRESETS", "SettingsError", "SyntheticConfig", "generate"]
