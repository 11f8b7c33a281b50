"""The model card of a trained network: Markdown with the header that model hubs read."""

from collections.abc import Mapping, Sequence
from typing import Any

from opengait.utils.yaml_text import write_yaml

# Metrics of a direction that the card shows.
_METRICS = {"rank1": "Rank-1", "rank5": "Rank-5", "map": "mAP", "minp": "mINP"}


def model_card(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return the text of a network's `README.md`.

    Args:
        config: its configuration.
        facts: its `config.json`; see `opengait_ext.weights.folder`.
    """
    header: dict[str, Any] = {
        "library_name": "opengait-dinogrl",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["person-re-identification", "visible-infrared", "gait-recognition", str(facts["model"])],
    }
    if facts.get("license"):
        header = {"license": facts["license"], **header}
    save_name = (config.get("trainer_cfg") or {}).get("save_name", facts["model"])
    sections = [
        f"---\n{write_yaml(header)}---",
        f"# {save_name}",
        f"A network of {facts['model']} that describes tracklets of people, for re-identification.",
        _use(facts),
        "## Input and output\n\n" + _interface(facts),
        "## Training data\n\n" + _data(facts.get("trained_on")),
        "## Tests\n\n" + _tests(facts.get("tests") or ()),
        "## Files\n\n" + _files(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _use(facts: Mapping[str, Any]) -> str:
    crops = 'crops, modality="visible", channels="bgr"' if facts["input"]["kind"] == "frames" else "silhouettes"
    return (
        "```python\nfrom opengait_ext import Describer\n\n"
        f'describer = Describer.load("PATH_OR_NAME")\ndescriptors = describer.encode({crops})\n```'
    )


def _interface(facts: Mapping[str, Any]) -> str:
    given, made = facts["input"], facts["descriptor"]
    size = f" of {given['height']} x {given['width']} pixels (others are resized)" if given.get("height") else ""
    frames = f"{given['frames']} evenly spread frames" if given.get("frames") else "all frames"
    shape = f"{made['channels']} channels and {made['parts']} parts" if made.get("channels") else "several parts"
    return (
        f"- Input: {given['kind']}{size}, {frames} per tracklet.\n"
        f"- Output: a descriptor of {shape}, compared by the distance `{made['distance']}`, averaged over the parts."
    )


def _data(trained_on: Mapping[str, Any] | None) -> str:
    if not trained_on:
        return "Not recorded."
    digest = trained_on.get("fingerprint")
    return f"{trained_on['name']}" + (f", fingerprint `{digest}`." if digest else ".")


def _tests(tests: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(map(_test, tests)) or "Not tested."


def _test(test: Mapping[str, Any]) -> str:
    rows = [
        f"| {name.replace('_', ' ')} | " + " | ".join(f"{numbers[key]:.2f}" for key in _METRICS) + " |"
        for name, numbers in test["results"].items()
        if isinstance(numbers, Mapping) and all(isinstance(numbers.get(key), int | float) for key in _METRICS)
    ]
    table = [f"| | {' | '.join(_METRICS.values())} |", "|---" * (len(_METRICS) + 1) + "|", *rows]
    numbers_text = "\n".join(table) if rows else f"```yaml\n{write_yaml(dict(test['results']))}```"
    card = f"\n\nProtocol card:\n\n```yaml\n{write_yaml(dict(test['card']))}```" if test.get("card") else ""
    return f"On {test['dataset']}, in percent:\n\n{numbers_text}{card}"


def _files(facts: Mapping[str, Any]) -> str:
    stated = facts.get("license") or "not stated; ask whoever published them. The code is Apache-2.0"
    return (
        f"- `{facts['weights']['file']}`, SHA-256 `{facts['weights']['sha256']}`.\n"
        f"- Licence of the weights: {stated}.\n"
        "- `config.yaml` is the whole configuration, `config.json` the facts of this page."
    )
