"""What people handle: the command line and its commands."""
