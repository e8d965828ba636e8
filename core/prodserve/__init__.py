"""prodserve: the production server that is already inside your Django or Flask project.

Importing this package imports nothing else: the supervisor and every ``flask`` command load it.
"""

VERSION = "0.1.0"
