"""Programs that are measured beside retouch, each in a process of its own and importing nothing of it."""
