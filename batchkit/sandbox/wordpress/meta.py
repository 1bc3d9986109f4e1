"""Meta values: which keys a plugin has, which of them the API knows, and who may write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..rules import Rules
from .answers import Refused

KEYS: Final = {
    "yoast": ("_yoast_wpseo_title", "_yoast_wpseo_metadesc"),
    "rankmath": ("rank_math_title", "rank_math_description"),
    "seopress": ("_seopress_titles_title", "_seopress_titles_desc"),
    "aioseo": ("_aioseo_title", "_aioseo_description"),
    "none": (),
}
"""Meta keys of each plugin: the title and the description that search engines are given."""
AIOSEO: Final = "aioseo_meta_data"
"""Property of a post by which All in One SEO shows and takes its texts, which are in a table of its own."""


class Meta:
    """The meta keys of a site.

    Args:
        rules: Which plugin there is, and how far its keys are open.

    Attributes:
        namespaces: The plugin's own, in the REST API.
        has_property: Whether the plugin takes its texts by `AIOSEO`.
    """

    def __init__(self, rules: Rules) -> None:
        keys = KEYS[rules.wordpress_seo]
        self.namespaces = (f"{rules.wordpress_seo}/v1",) if keys else ()
        self._registered = (*(keys if rules.wordpress_meta != "hidden" else ()), "footnotes")
        self.has_property = rules.wordpress_seo == "aioseo" and rules.wordpress_meta != "hidden"
        self._protected = {key for key in keys if rules.wordpress_meta == "protected" and key.startswith("_")}

    def shown(self, values: Mapping[str, str]) -> dict[str, str]:
        """What the API shows of a post's values: the registered keys, empty where there is none."""
        return {key: values.get(key, "") for key in self._registered}

    def property_of(self, values: Mapping[str, str]) -> dict[str, str]:
        """The texts as the plugin's own property shows them."""
        title, description = KEYS["aioseo"]
        return {"title": values.get(title, ""), "description": values.get(description, "")}

    def write_property(self, values: dict[str, str], wanted: Mapping[str, Any]) -> None:
        """Write the texts that the plugin's own property brings."""
        for name, key in zip(("title", "description"), KEYS["aioseo"], strict=True):
            if name in wanted:
                values[key] = str(wanted[name] or "")

    def schema(self) -> dict[str, Any]:
        """The keys as the schema of a type lists them."""
        one = {"type": "string", "title": "", "description": "", "default": ""}
        return {
            "description": "Meta fields.",
            "type": "object",
            "context": ["view", "edit"],
            "properties": {key: dict(one) for key in self._registered},
        }

    def write(self, values: dict[str, str], wanted: Mapping[str, Any]) -> None:
        """Write what may be written; keys that aren't registered are passed over in silence.

        Raises:
            Refused: Some may not, or don't fit. The others are written all the same.
        """
        refusals = []
        for key in self._registered:
            if key not in wanted:
                continue
            value = wanted[key]
            if value is not None and not isinstance(value, str):
                name = f"meta.{key}"
                message, param = f"{name} is not of type string.", [{"param": name}]
                refusals.append(Refused(400, "rest_invalid_type", message, additional_data=param))
            elif key in self._protected:
                code = "rest_cannot_delete" if value is None else "rest_cannot_update"
                message = f"Sorry, you are not allowed to edit the {key} custom field."
                refusals.append(Refused(403, code, message, {"key": key}))
            elif value is None:
                values.pop(key, None)
            else:
                values[key] = value
        if refusals:
            first, *others = refusals
            if others:
                first.body["additional_errors"] = [other.body for other in others]
            raise first
