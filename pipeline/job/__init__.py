"""A job: its specification, its folder, its registry, its plan and its results."""
