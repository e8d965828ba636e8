"""Django plug-in: list it in INSTALLED_APPS, then ``python manage.py prodserve``."""
