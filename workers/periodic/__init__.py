"""What a worker does by the clock: heartbeat, sweep, watchdog, recovery of lost jobs, notifications."""
