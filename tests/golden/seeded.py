"""Deterministic arrays for golden comparisons.

An array depends only on its name and shape, so anyone can regenerate the weights and inputs behind the stored numbers,
without torch.
"""

import hashlib

import numpy as np


def generator(name):
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def normal(name, shape):
    """Return float64 standard normals of a shape; () gives a scalar array."""
    return np.asarray(generator(name).standard_normal(tuple(shape)))


def uniform(name, shape):
    """Return float64 uniforms in [0, 1)."""
    return np.asarray(generator(name).random(tuple(shape)))


def state_value(name, shape):
    """Return the float64 golden value of a state dict entry, or None for zeros."""
    shape = tuple(shape)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return None
    z = normal(name, shape)
    if leaf == "running_var":
        return 0.5 + np.abs(z)
    if leaf == "running_mean":
        return 0.1 * z
    if leaf in ("cls_token", "pos_embed", "mask_token", "bias"):
        return 0.02 * z
    if leaf == "gamma":  # layer scale
        return 1.0 + 0.1 * z
    if leaf == "p" and shape == (1,):  # GeM exponent
        return 6.5 + 0.1 * z
    if leaf == "fc_bin":  # [parts, c_in, c_out]
        return z * (1.0 / shape[1]) ** 0.5
    if leaf == "weight" and len(shape) == 1:  # a norm layer's scale
        return 1.0 + 0.1 * z
    if len(shape) >= 2:  # conv / linear kernels
        return z * (2.0 / int(np.prod(shape[1:]))) ** 0.5
    return 0.1 * z


def fill_state(module):
    """Overwrite every entry of `module.state_dict()` in place, and return {name: shape}."""
    import torch

    manifest = {}
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            value = state_value(name, tensor.shape)
            if value is None:
                tensor.zero_()
            else:
                tensor.copy_(torch.from_numpy(value.astype(np.float32)))
            manifest[name] = list(tensor.shape)
    return manifest


def silhouettes(case, shape):
    """Return float32 values in [0, 1), the model input of the silhouette goldens."""
    return uniform(f"input:{case}:sils", shape).astype(np.float32)


def gallery(case, triples, channels=8, parts=4, signal=0.8):
    """Return float32 embeddings [N, channels, parts] with a component per identity.

    Args:
        triples: (label, type, view) strings, one triple per row.
    """
    noise = normal(f"eval:{case}:embeddings", (len(triples), channels, parts))
    centres = {}
    for label, _, _ in triples:
        if label not in centres:
            centres[label] = normal(f"eval:{case}:id:{label}", (channels, parts))
    rows = np.stack([centres[label] for label, _, _ in triples])
    return (noise + signal * rows).astype(np.float32)
