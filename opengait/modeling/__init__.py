"""Models, with their backbones, modules and losses."""
