"""The tap and real targets: processes joined by a pipe, and what is in the database after it."""
