"""Every address of the console. Each app owns its own part."""

from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import TemplateView

from erpops.views import people, shell

urlpatterns = [
    path("healthz", shell.healthz, name="healthz"),
    path("theme", shell.theme, name="theme"),
    path("sign-in", login_not_required(auth.LoginView.as_view(redirect_authenticated_user=True)), name="login"),
    path("sign-out", auth.LogoutView.as_view(), name="logout"),
    path("people/", people.show, name="people"),
    path("people/add", people.add, name="person_add"),
    path("people/<int:pk>/roles", people.roles, name="person_roles"),
    path("people/<int:pk>/active", people.active, name="person_active"),
    path("people/<int:pk>/password", people.password, name="person_password"),
    path("account/password", people.own_password, name="own_password"),
    path("", include("incidents.urls")),
    path("", include("checks.urls")),
    path("", include("runbooks.urls")),
]
if settings.DEBUG:
    urlpatterns.append(path("_gallery", TemplateView.as_view(template_name="components/gallery.html")))

handler403 = "erpops.views.shell.not_allowed"
handler500 = "erpops.views.shell.failed"
