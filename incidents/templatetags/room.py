"""Words of the incident templates."""

from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def panel(context: Context, shown: dict[str, Any]) -> SafeString:
    """Render a panel inside the page's context, with its own context on top."""
    assert context.template is not None
    with context.push(**shown["context"]):
        return context.template.engine.get_template(shown["template"]).render(context)
