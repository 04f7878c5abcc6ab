"""How each command is typed: its options, its help, its examples, and where its work is done."""
