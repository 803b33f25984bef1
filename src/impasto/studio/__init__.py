"""The studio: a web page and an HTTP API for every method, with jobs that outlive any process.

`app.py` puts it together; `jobs/` is the one table and who works it off; `decoding.py` is the only place where bytes
from strangers become pixels, in a process of its own.
"""
