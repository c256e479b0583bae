from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from faceweb import views
from faceweb.health import healthz
from faceweb.signing_in import SignInForm

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path(
        "login/",
        auth.LoginView.as_view(authentication_form=SignInForm, redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("admin/login/", views.admin_sign_in),
    path("admin/", admin.site.urls),
    path("", include("search.urls")),
    path("", include("people.urls")),
]

handler400 = "faceweb.views.bad_request"
