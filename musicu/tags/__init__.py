"""What a file says of itself: containers, fields, dates, and the hash of its content."""
