"""VLD's texts: a sentence of each person with learned tokens, read by CLIP's frozen text tower."""

from typing import Any

import torch
from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.shared.clip import import_open_clip

PROMPT = "A X X X X person observed in both day and night conditions."
# The word in a prompt that stands for a learned token.
LEARNED = "X"


def split_prompt(prompt: str) -> tuple[list[int], int, list[int]]:
    """Return the tokens before the learned ones, the number of learned ones, and the tokens after them to the end.

    Raises:
        ConfigError: open_clip is not installed, the prompt is too long, or its learned tokens are not in one place.
    """
    tokenizer = import_open_clip().tokenizer
    words = prompt.split()
    count = words.count(LEARNED)
    first = words.index(LEARNED) if count else 0
    if not count or words[first : first + count] != [LEARNED] * count:
        raise ConfigError(
            f"model_cfg.prompt is {prompt!r}; expected a text with one run of words {LEARNED}, the learned tokens."
        )
    # A model on the meta device needs the numbers nevertheless.
    with torch.device("cpu"):
        ends = [tokenizer.tokenize(" ".join(part))[0] for part in (words[:first], words[first + count :])]
    # The end of a text has the highest number of the vocabulary, and zeros follow.
    before, after = (tokens[: int(tokens.argmax()) + 1].tolist() for tokens in ends)
    return before[:-1], count, after[1:]


class TextTower(nn.Module):
    """CLIP's frozen text tower for texts that differ in their learned tokens only.

    No token reads later ones, so those after the end of the text, which CLIP pads to 77, are left out.

    Args:
        clip: the `CLIP` whose text tower it takes.
        prompt: the text, with a word X for each learned token.

    Raises:
        ConfigError: the prompt is invalid, or too long for the tower.
    """

    prefix: Tensor
    suffix: Tensor

    def __init__(self, clip: Any, prompt: str = PROMPT) -> None:
        super().__init__()
        before, self.learned, after = split_prompt(prompt)
        length = len(before) + self.learned + len(after)
        if length > len(clip.positional_embedding):
            raise ConfigError(
                f"model_cfg.prompt has {length} tokens, but the text tower reads {len(clip.positional_embedding)}."
            )
        self.transformer = clip.transformer
        self.ln_final = clip.ln_final
        self.positional_embedding = nn.Parameter(clip.positional_embedding.detach()[:length].clone())
        self.text_projection = clip.text_projection
        words = clip.token_embedding.weight.detach()
        self.register_buffer("prefix", words[before].clone())
        self.register_buffer("suffix", words[after].clone())
        self.requires_grad_(False)

    @property
    def width(self) -> int:
        """Return the channels of a token."""
        return self.prefix.shape[1]

    def forward(self, learned: Tensor) -> Tensor:
        """Return the vectors (classes, dimension) of texts with these learned tokens (classes, tokens, width)."""
        ends = [end.to(learned.dtype).expand(len(learned), -1, -1) for end in (self.prefix, self.suffix)]
        tokens = torch.cat([ends[0], learned, ends[1]], dim=1) + self.positional_embedding
        later = torch.full((tokens.shape[1],) * 2, -torch.inf, dtype=tokens.dtype, device=tokens.device).triu(1)
        for block in self.transformer.resblocks:
            tokens = block(tokens, attn_mask=later)
        vectors: Tensor = self.ln_final(tokens[:, -1]) @ self.text_projection
        return vectors


class PersonTexts(nn.Module):
    """The learned tokens of each person's text.

    Args:
        num_classes: number of people.
        tokens: learned tokens of each text.
        width: channels of a token.
    """

    def __init__(self, num_classes: int, tokens: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(num_classes, tokens, width) * 0.02)
