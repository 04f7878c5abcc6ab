"""What people read, and what makes the pages that are made from the code."""
