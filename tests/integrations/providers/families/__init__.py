"""The facts of the presets, a module for each family: ``FACTS``, a list of `Facts`."""
