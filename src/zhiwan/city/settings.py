"""Settings of the web, jobs and worker processes. Everything comes from the environment; nothing has a default secret.

ZHIWAN_DATABASE_URL        login role: holds nothing by itself, acts as zhiwan_area or zhiwan_district
ZHIWAN_OWNER_DATABASE_URL  owner of the tables; only `migrate` needs it (alias "owner")
ZHIWAN_SECRET_KEY_FILE     file with the signing key
ZHIWAN_DATA, ZHIWAN_PLACE, ZHIWAN_PACKS, ZHIWAN_NATS_URL, ZHIWAN_NATS_CREDENTIALS_FILE, ZHIWAN_LIVE_URL
ZHIWAN_HOSTS               host names served besides loopback, separated by commas
ZHIWAN_CA_FILE             certificate of our own authority (--lan): offered at /ca.crt, trusted among our parts
ZHIWAN_LAN_ADDRESS         the address --lan serves on: a request from it comes from this machine
ZHIWAN_AUDIT_HEADS         folder of the signed heads of the audit, best on another disk (default: <data>/audit-heads)
ZHIWAN_SMS                 where short messages go: file (default), console, or the https address of a gateway
ZHIWAN_SMS_KEY_FILE        file with the gateway's key
ZHIWAN_SECURITY_CONTACT    to whom one tells a weakness: mailto:… or https://…, in /.well-known/security.txt
ZHIWAN_TILES               more origins that map tiles may come from (the place's own base map is allowed anyway)
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from zhiwan.city.environment import database, origin, place_tiles, place_time_zone

CHECKOUT = Path(__file__).resolve().parents[3]
ZHIWAN_DATA = Path(os.environ.get("ZHIWAN_DATA") or CHECKOUT / ".data")
ZHIWAN_PLACE = Path(os.environ["ZHIWAN_PLACE"]) if os.environ.get("ZHIWAN_PLACE") else None
ZHIWAN_PACKS = [CHECKOUT / "packs", *(Path(p) for p in os.environ.get("ZHIWAN_PACKS", "").split(":") if p)]
ZHIWAN_NATS_URL = os.environ.get("ZHIWAN_NATS_URL", "")
ZHIWAN_NATS_CREDENTIALS_FILE = os.environ.get("ZHIWAN_NATS_CREDENTIALS_FILE", "")
ZHIWAN_LIVE_URL = os.environ.get("ZHIWAN_LIVE_URL", "")
ZHIWAN_AUDIT_HEADS = os.environ.get("ZHIWAN_AUDIT_HEADS", "")
ZHIWAN_CA_FILE = os.environ.get("ZHIWAN_CA_FILE", "")
ZHIWAN_LAN_ADDRESS = os.environ.get("ZHIWAN_LAN_ADDRESS", "")
ZHIWAN_SMS = os.environ.get("ZHIWAN_SMS") or "file"
ZHIWAN_SMS_KEY_FILE = os.environ.get("ZHIWAN_SMS_KEY_FILE", "")
ZHIWAN_SECURITY_CONTACT = os.environ.get("ZHIWAN_SECURITY_CONTACT", "")
ZHIWAN_TILES = [*os.environ.get("ZHIWAN_TILES", "").split(), *place_tiles(ZHIWAN_PLACE)]

# Without a key file (type checks, makemigrations) the key lives as long as the process: sessions never outlive it.
_key_file = os.environ.get("ZHIWAN_SECRET_KEY_FILE")
SECRET_KEY = Path(_key_file).read_text().strip() if _key_file else secrets.token_urlsafe(48)

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *filter(None, os.environ.get("ZHIWAN_HOSTS", "").split(","))]
ROOT_URLCONF = "zhiwan.city.urls"
WSGI_APPLICATION = "zhiwan.city.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "zhiwan.city.people",
    "zhiwan.city.registry",
    "zhiwan.city.watch",
    "zhiwan.city.amendments",
    "zhiwan.city.cases",
    "zhiwan.city.plans",
    "zhiwan.city.keeping",
    "zhiwan.city.exports",
    "zhiwan.city.portal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "zhiwan.city.headers.ContentSecurity",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "zhiwan.city.amendments.middleware.TakeUpChanges",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "zhiwan.city.portal.language.LanguageMiddleware",
    "zhiwan.city.people.ways_in.presence.PresenceMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "zhiwan.city.registry.middleware.SpaceInAnswers",
    "zhiwan.city.registry.middleware.SpaceActingMiddleware",
    "zhiwan.city.portal.gate.RouteGate",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "zhiwan.city.portal.frame.frame",
            ]
        },
    }
]

# The session role is zhiwan_area with no towns: a request that forgets to act sees no guarded row.
DATABASES = {"default": database(os.environ.get("ZHIWAN_DATABASE_URL", ""), role="zhiwan_area")}
if os.environ.get("ZHIWAN_OWNER_DATABASE_URL"):
    DATABASES["owner"] = database(os.environ["ZHIWAN_OWNER_DATABASE_URL"])

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "zhiwan.city.people.ways_in.passwords.RuleValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/in"
LOGIN_REDIRECT_URL = "/"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LANGUAGE_COOKIE_NAME = "zhiwan_language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
USE_TZ = True
TIME_ZONE = place_time_zone(ZHIWAN_PLACE, default="Asia/Shanghai")

STATIC_URL = "/static/"
STATIC_ROOT = ZHIWAN_DATA / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # no page asks for others, and compressing them doubles a first start's time
# The build writes hashed, compressed files; without a collected folder (tests, a first look) the sources are served.
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()
if WHITENOISE_USE_FINDERS:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

SESSION_ENGINE = "zhiwan.city.people.ways_in.session_store"  # with limits.yml: idle, absolute, ended elsewhere
SESSION_COOKIE_NAME = "zhiwan_session"
SESSION_COOKIE_AGE = 3600  # of a visit before signing in; sessions.enter() sets a session's own end
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "zhiwan_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
# Behind a proxy with TLS set ZHIWAN_HTTPS=1; bin/up serves plain HTTP on loopback only, and HTTPS with --lan.
_https = os.environ.get("ZHIWAN_HTTPS") == "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in filter(None, os.environ.get("ZHIWAN_HOSTS", "").split(","))]
if _https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31536000
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "worker-src": ["'self'"],
    "style-src": ["'self'"],
    "style-src-attr": ["'unsafe-inline'"],
    "img-src": ["'self'", "data:", "blob:", *map(origin, ZHIWAN_TILES)],
    "font-src": ["'self'"],
    "connect-src": ["'self'", *filter(None, [origin(ZHIWAN_LIVE_URL)]), *map(origin, ZHIWAN_TILES)],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "manifest-src": ["'self'"],
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024  # the API refuses bodies above its own, lower bound with a told reason
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# PROCRASTINATE_IMPORT_PATHS = ["zhiwan.city.jobs"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("ZHIWAN_LOG", "WARNING")},
}
