"""What Celery is told: its settings, the one task, how messages go, and beat for schedules."""
