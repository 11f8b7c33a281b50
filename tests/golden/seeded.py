"""Deterministic, name-keyed tensors for golden comparisons (no framework needed).

`array(name, shape)` is a pure function of its two arguments, so anyone can
regenerate the weights and inputs behind the stored goldens.  torch is imported
only inside `fill_state`.
"""

import hashlib

import numpy as np


def generator(name):
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def normal(name, shape):
    """float64 standard normals; `shape` is a tuple (() gives a scalar array)."""
    return np.asarray(generator(name).standard_normal(tuple(shape)))


def uniform(name, shape):
    """float64 uniforms in [0, 1)."""
    return np.asarray(generator(name).random(tuple(shape)))


def state_value(name, shape):
    """The golden value of one state_dict entry, float64; None means: set it to zero."""
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
    """Overwrite every entry of module.state_dict() in place; returns {name: shape}."""
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
    """float32 in [0, 1): the model input of the silhouette goldens."""
    return uniform(f"input:{case}:sils", shape).astype(np.float32)


def gallery(case, triples, channels=8, parts=4, signal=0.8):
    """float32 [N, channels, parts] embeddings with a per-identity component.

    `triples` is a list of (label, type, view) strings; row i belongs to triple i.
    """
    noise = normal(f"eval:{case}:embeddings", (len(triples), channels, parts))
    centres = {}
    for label, _, _ in triples:
        if label not in centres:
            centres[label] = normal(f"eval:{case}:id:{label}", (channels, parts))
    rows = np.stack([centres[label] for label, _, _ in triples])
    return (noise + signal * rows).astype(np.float32)
