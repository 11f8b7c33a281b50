"""VLD (Li et al., IEEE TIFS 2025): CLIP's image tower, tokens that visit all frames, and a learned text per person."""
