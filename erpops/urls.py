"""Every address of the console. Each app owns its own part."""

from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import TemplateView

from erpops.views import shell

urlpatterns = [
    path("healthz", shell.healthz, name="healthz"),
    path("theme", shell.theme, name="theme"),
    path("sign-in", login_not_required(auth.LoginView.as_view(redirect_authenticated_user=True)), name="login"),
    path("sign-out", auth.LogoutView.as_view(), name="logout"),
    path("", include("incidents.urls")),
    path("", include("checks.urls")),
    path("", include("runbooks.urls")),
]
if settings.DEBUG:
    urlpatterns.append(path("_gallery", TemplateView.as_view(template_name="components/gallery.html")))

handler403 = "erpops.views.shell.not_allowed"
