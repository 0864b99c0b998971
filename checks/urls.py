"""Addresses of the checks layer."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
