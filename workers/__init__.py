"""Many edits at once: Celery application and tasks, and what several processes share in Redis."""
