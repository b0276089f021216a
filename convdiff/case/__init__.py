"""What is asked: the case file, its schema, its arrays."""
