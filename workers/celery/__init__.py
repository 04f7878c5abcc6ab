"""How Celery is used: its settings, the one task, the transport of messages, and beat for schedules."""
