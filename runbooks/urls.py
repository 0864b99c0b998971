"""Addresses of the runbooks layer."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
