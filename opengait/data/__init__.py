"""From files to batches: frame sources, tracklet lists, frame picks, samplers, transforms, collation, loaders."""
