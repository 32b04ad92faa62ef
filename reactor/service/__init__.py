"""FLOOR 3, the shell: it loads, lets the core decide, writes, and acts. It knows the core and the contracts of the hands, never a concrete hand."""
