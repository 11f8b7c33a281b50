"""Former home of the generator of synthetic data; the entry point is `synthetic_vvi.generate`."""
