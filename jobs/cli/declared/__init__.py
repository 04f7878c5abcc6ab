"""The declaration of each command: its options, its help, its examples, and the function that does its work."""
