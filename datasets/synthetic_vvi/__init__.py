"""Walking people drawn by the project, in the layout of HITSZ-VCM. Entry point: `synthetic_vvi.generate`."""
