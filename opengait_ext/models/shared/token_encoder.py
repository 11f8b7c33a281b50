"""Linear encoders of SASG (Section 3.2): E_m, E_g and E_a, which read frozen patch tokens.

BigGait (Ye et al., CVPR 2024) has the same parts, and the parameters keep its names.
"""

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from opengait.engine.sync_batchnorm import masked_batch_norm
from opengait.errors import ConfigError


class TokenEncoder(nn.Module):
    """Batch norm without affine parameters, then one linear map, or two with a hidden layer in between.

    Args:
        in_channels: channels of the tokens.
        out_channels: channels of the codes; no activation is applied, since resizing may come first.
        hidden: width of the hidden layer (norm and GELU follow it); None for a single linear map.
        out_norm: end with a norm without affine parameters, as in E_a before its sigmoid.
        dropout: share of token entries dropped before the first norm, in training.
        decoder: add D_m, the linear map back to `in_channels` (Eq. 5).

    Shape: (tokens, in_channels) -> (tokens, out_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden: int | None = None,
        out_norm: bool = False,
        dropout: float = 0.0,
        decoder: bool = False,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.bn_s = nn.BatchNorm1d(in_channels, affine=False)
        self.down_sampling: nn.Linear | nn.Sequential
        if hidden is None:
            self.down_sampling = nn.Linear(in_channels, out_channels)
        else:
            self.down_sampling = nn.Sequential(
                nn.Linear(in_channels, hidden),
                nn.BatchNorm1d(hidden, affine=False),
                nn.GELU(),
                nn.Linear(hidden, out_channels),
            )
        self.bn_t = nn.BatchNorm1d(out_channels, affine=False) if out_norm else nn.Identity()
        self.up_sampling = nn.Linear(out_channels, in_channels) if decoder else None

    def forward(self, tokens: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Return the codes; the norms train on the `chosen` tokens, bool (tokens), or on all."""
        return apply_layers([self.bn_t], self.project(tokens, chosen), chosen)

    def project(self, tokens: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Return the codes before the last norm."""
        down = self.down_sampling
        layers = list(down) if isinstance(down, nn.Sequential) else [down]
        return apply_layers([self.dropout, self.bn_s, *layers], tokens, chosen)

    def decode(self, codes: Tensor) -> Tensor:
        """Apply D_m of Eq. 5: (tokens, out_channels) -> (tokens, in_channels)."""
        if self.up_sampling is None:
            raise ConfigError("This encoder was built without a decoder; set decoder (or Up) to true.")
        return self.up_sampling(codes)


def apply_layers(layers: Iterable[nn.Module], tokens: Tensor, chosen: Tensor | None) -> Tensor:
    """Apply layers one after the other; batch norms train on the `chosen` tokens, or on all."""
    for layer in layers:
        if chosen is not None and isinstance(layer, _BatchNorm):
            tokens = masked_batch_norm(layer, tokens, chosen)
        else:
            tokens = layer(tokens)
    return tokens
