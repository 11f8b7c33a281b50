"""BigGait's token branches; SASG's mask encoder can start from the weights of one."""

import copy

from torch import Tensor

from opengait_ext.models.shared.token_encoder import TokenEncoder, apply_layers
from opengait_ext.weights.read import load_exactly, read_weights


class Branch(TokenEncoder):
    """BigGait's token encoder with its activation: softmax over the channels, or a norm and a sigmoid.

    Args:
        source_dim, target_dim: input and output channels.
        p: share of token entries dropped in training.
        softmax: apply softmax instead of `bn_t` and a sigmoid; `bn_t` is in the state either way.
        Relu: add a hidden layer of half the width, with a norm and GELU.
        Up: add the linear map back to the tokens.

    Shape: (tokens, source_dim) -> (tokens, target_dim).
    """

    def __init__(
        self,
        source_dim: int,
        target_dim: int,
        p: float = 0.0,
        softmax: bool = True,
        Relu: bool = False,  # noqa: N803 (upstream's name)
        Up: bool = False,  # noqa: N803
    ) -> None:
        hidden = source_dim // 2 if Relu else None
        super().__init__(source_dim, target_dim, hidden, out_norm=True, dropout=p, decoder=Up)
        self.softmax = softmax

    def forward(self, tokens: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Return the activated codes; see `TokenEncoder.forward`."""
        codes = self.project(tokens, chosen)
        return (
            codes.float().softmax(dim=1) if self.softmax else apply_layers([self.bn_t], codes, chosen).float().sigmoid()
        )


def read_mask_branch(path: str, branch: Branch) -> dict[str, Tensor]:
    """Return the state of a pretrained mask branch, from its own file or a BigGait checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged or does not hold such a branch.
    """
    purpose = "BigGait's mask branch (MaskBranch_vits14.pt beside OpenGait's BigGait models)"
    state = read_weights(path, purpose)
    prefix = "Mask_Branch."
    entries = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)} or state
    # Loaded into a copy so that a file that does not fit is reported before training starts.
    load_exactly(copy.deepcopy(branch), entries, path, purpose)
    return entries
