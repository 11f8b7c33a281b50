"""Pretrained weights from their publishers: what there is, fetching it, and making sure that it is what it says."""
