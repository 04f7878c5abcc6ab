"""What several workers share, in Redis: who does what, limits, figures. Each change is one script."""
