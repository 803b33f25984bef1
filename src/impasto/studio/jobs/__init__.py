"""Jobs: one table, who may take them, who works them off, and what is thrown away in the end."""
