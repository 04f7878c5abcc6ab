"""The command line itself: which commands there are, their options and help, and how errors are reported."""
