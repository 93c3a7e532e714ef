"""What can be measured in a recording."""
