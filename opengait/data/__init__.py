"""From files to batches: frame sources, tracklet lists, frame pickers, samplers, transforms, collation, loaders."""
