"""What answers a request: static files inside the loop, the WSGI application on a slot."""
