"""What a call is: pure values, tables and functions."""
