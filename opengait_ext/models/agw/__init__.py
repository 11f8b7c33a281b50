"""AGW (Ye et al., TPAMI 2021) and CAJ (Ye et al., ICCV 2021): image methods, which share their network.

CAJ is AGW's network with a second view of every visible image (`sampler.second_view`), more augmentation, and
`SquaredDifferenceLoss`; its configurations are in `configs/caj/`.
"""
