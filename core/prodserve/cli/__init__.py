"""The commands that users type: shared by manage.py, flask and python -m prodserve."""
