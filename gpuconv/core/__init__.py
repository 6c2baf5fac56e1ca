"""What an array, an edge and a size are. Knows no algorithm."""
