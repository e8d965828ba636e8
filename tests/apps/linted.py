"""The app of ``wire`` inside each of the WSGI linters: they check what goes in and what comes out."""

from __future__ import annotations

from wsgiref.validate import validator

import paste.lint
import webtest.lint
from werkzeug.middleware.lint import LintMiddleware

from .wire import app

wsgiref = validator(app)
webtest_lint = webtest.lint.middleware(app)
paste_lint = paste.lint.middleware(app)
werkzeug_lint = LintMiddleware(app)
