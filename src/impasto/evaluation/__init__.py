"""How good a restyled picture is: metrics as pure functions, and networks compared on one set of pairs."""
