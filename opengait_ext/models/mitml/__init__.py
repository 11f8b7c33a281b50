"""MITML (Lin et al., CVPR 2022): modality-invariant features, refined by a memory of the whole tracklet."""
