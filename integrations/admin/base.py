"""The classes that admin pages extend: Unfold's, under Django's types, for Unfold has none of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib import admin

    HubAdmin = admin.ModelAdmin[Any]
    HubTabularInline = admin.TabularInline[Any, Any]
    HubStackedInline = admin.StackedInline[Any, Any]
else:
    from unfold.admin import ModelAdmin as HubAdmin
    from unfold.admin import StackedInline as HubStackedInline
    from unfold.admin import TabularInline as HubTabularInline

__all__ = ["HubAdmin", "HubStackedInline", "HubTabularInline"]
