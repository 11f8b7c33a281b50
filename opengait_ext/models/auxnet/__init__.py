"""AuxNet (Du et al., TIFS 2024): a two-stem ResNet on aligned pairs, helped by people whom only one camera saw."""
