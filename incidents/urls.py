"""Addresses of the incidents layer."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
