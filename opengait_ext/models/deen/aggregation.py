"""Multi-stage feature aggregation (MFA): a stage's map attends to the map that the stage was given."""

from torch import Tensor, nn

from opengait.errors import ConfigError
from opengait_ext.models.shared.full_precision import full_precision


class CrossLevelBlock(nn.Module):
    """Adds to a high-level map what it attends to in a low-level one; subclasses say how.

    The final norm starts at zero, so a new block returns the high-level map and pretrained stages keep their function.
    Products of unbounded activations overflow float16, so blocks are computed in float32 even under autocast.

    Args:
        high, low: channels of the two maps.
        inner: channels of query, key and value.
        key_stride, out_stride: strides of these layers, where the low-level map is the larger one.
    """

    def __init__(self, high: int, low: int, inner: int, key_stride: int = 1, out_stride: int = 1) -> None:
        super().__init__()
        self.value = nn.Conv2d(low, inner, 1)
        self.query = nn.Conv2d(high, inner, 1)
        self.key = nn.Conv2d(low, inner, 1, stride=key_stride)
        self.out = nn.Conv2d(inner, high, 1, stride=out_stride)
        self.norm = nn.BatchNorm2d(high)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Return (f, high, h, w) of maps (f, high, h, w) and (f, low, h', w')."""
        with full_precision(high.device):
            wide, narrow = (maps.to(self.norm.weight.dtype) for maps in (high, low))
            return (wide + self.norm(self.out(self.attended(wide, narrow)))).to(high.dtype)

    def attended(self, high: Tensor, low: Tensor) -> Tensor:
        """Return maps (f, inner, ...), which `out` brings to the shape of the high-level one."""
        raise NotImplementedError


class ChannelBlock(CrossLevelBlock):
    """Channels attend to channels: W(E g), E = theta phi^T / l of l x l channels, with l those of the low-level map.

    Args:
        high, low: channels of the two maps.
        stride: how many times larger the low-level map is.
    """

    def __init__(self, high: int, low: int, stride: int) -> None:
        super().__init__(high, low, low, stride, stride)

    def attended(self, high: Tensor, low: Tensor) -> Tensor:
        query, key = self.query(high).flatten(2), self.key(low).flatten(2)
        affinities = query @ key.transpose(1, 2) / query.shape[1]
        return (affinities @ self.value(low).flatten(2)).unflatten(2, low.shape[-2:])


class PositionBlock(CrossLevelBlock):
    """Positions attend to positions: W(E g), E = theta^T phi / (tokens of the low-level map), with l/2 inner channels.

    Args:
        high, low: channels of the two maps.
        folded: whether a token is two positions, p and p + half of all, as in the released code, or a single one. The
            code's token holds channel c of the first as its channel 2c and that of the second as 2c + 1.
    """

    def __init__(self, high: int, low: int, folded: bool) -> None:
        super().__init__(high, low, max(low // 2, 1))
        self.folded = folded

    def attended(self, high: Tensor, low: Tensor) -> Tensor:
        query, key, value = map(self.tokens, (self.query(high), self.key(low), self.value(low)))
        # (theta^T phi) g^T = theta^T (phi g^T) avoids a matrix of tokens x tokens, since there is no softmax.
        context = key @ value.transpose(1, 2) / key.shape[2]
        return (context.transpose(1, 2) @ query).reshape(high.shape[0], -1, *high.shape[-2:])

    def tokens(self, maps: Tensor) -> Tensor:
        """Return maps (f, r, h, w) as tokens in columns: (f, r, h w), or folded (f, 2r, h w / 2).

        Raises:
            ConfigError: folded maps have an odd number of positions.
        """
        tokens = maps.flatten(2)
        if not self.folded:
            return tokens
        if tokens.shape[2] % 2:
            height, width = maps.shape[-2:]
            raise ConfigError(
                f"Maps of {height} x {width} positions cannot be folded in halves; choose a data_cfg.frame_size that "
                f"makes their number even, or set model_cfg.folded to false."
            )
        return tokens.reshape(tokens.shape[0], -1, tokens.shape[2] // 2)


class FeatureAggregation(nn.Module):
    """MFA of a stage: a position block behind a channel block.

    Args:
        high, low: channels of the stage's output and input.
        stride: of the stage.
        folded: see `PositionBlock`.
    """

    def __init__(self, high: int, low: int, stride: int = 1, folded: bool = True) -> None:
        super().__init__()
        self.channel = ChannelBlock(high, low, stride)
        self.position = PositionBlock(high, low, folded)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Return (f, high, h, w) of the stage's output (f, high, h, w) and its input (f, low, h', w')."""
        aggregated: Tensor = self.position(self.channel(high, low), low)
        return aggregated
