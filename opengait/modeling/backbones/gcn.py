"""A two-layer graph convolution network on part features."""

import torch
import torch.nn.functional as F
from torch import nn


class GraphConvolution(nn.Module):
    """`bn(adj (x W) + b)`, with batch norm over all values of a graph (upstream `GraphConvolution`).

    Args:
        in_features: channels of a node's input.
        out_features: channels of a node's output.
        adj_size: number of nodes v.
        bias: add b.
    """

    def __init__(self, in_features: int, out_features: int, adj_size: int, bias: bool = True) -> None:
        super().__init__()
        bound = out_features**-0.5
        self.weight = nn.Parameter(torch.empty(in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound)) if bias else None
        self.bn = nn.BatchNorm1d(adj_size * out_features)

    def forward(self, x: torch.Tensor, adj: torch.Tensor) -> torch.Tensor:
        """Map `[n, v, in]` with adjacencies `[n, v, v]` to `[n, v, out]`."""
        out = adj @ (x @ self.weight)
        if self.bias is not None:
            out = out + self.bias
        return self.bn(out.flatten(1)).view_as(out)


class GCN(nn.Module):
    """Two layers of dropout, graph convolution and ReLU (upstream `GCN`).

    Args:
        adj_size: number of nodes v.
        nfeat: channels of the input.
        nhid: channels of the hidden layer and of the output.
        isMeanPooling: ignored, as upstream.
    """

    def __init__(self, adj_size: int, nfeat: int, nhid: int, isMeanPooling: bool = True) -> None:
        super().__init__()
        self.adj_size, self.nhid, self.isMeanPooling = adj_size, nhid, isMeanPooling
        self.gc1 = GraphConvolution(nfeat, nhid, adj_size)
        self.gc2 = GraphConvolution(nhid, nhid, adj_size)

    def forward(self, x: torch.Tensor, adj: torch.Tensor) -> torch.Tensor:
        """Map `[n, v, nfeat]` with adjacencies `[n, v, v]` to `[n, v, nhid]`."""
        x = F.dropout(x, 0.5, training=self.training)
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, 0.5, training=self.training)
        return F.relu(self.gc2(x, adj))
