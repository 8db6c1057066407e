"""The outside world: one file per product, all behind the protocols in `base`."""
