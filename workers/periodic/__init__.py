"""What a worker does at intervals: heartbeat, sweep, watchdog, recovery of lost jobs, notifications."""
