"""``retouch doctor``: is everything in place? A module a subject: facts read at its edge, judged purely."""
