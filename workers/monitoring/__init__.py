"""Monitoring of workers and schedulers: metrics for Prometheus, and whether they make progress."""
