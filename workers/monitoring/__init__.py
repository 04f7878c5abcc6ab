"""What machines that watch read of a worker: metrics for Prometheus, and whether it makes progress."""
