"""DEEN (Zhang and Wang, CVPR 2023): an image method that trains on two generated versions of every image too."""
