"""The web application, served by granian: `granian --interface wsgi zhiwan.city.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
application = get_wsgi_application()
