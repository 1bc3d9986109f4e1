"""The message templates of the account, and what a message made of one must bring."""

from __future__ import annotations

import re
from typing import Any, Final

from .errors import GraphError

LONGEST: Final = 1024
"""Characters of a body with its values in place."""
_VARIABLE: Final = re.compile(r"{{\s*(\w+)\s*}}")


def _template(
    number: int, name: str, language: str, *components: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "parameter_format": "POSITIONAL",
        "components": list(components),
        "language": language,
        "status": "APPROVED",
        "category": "UTILITY",
        "id": str(594425479261590 + number),
        **more,
    }


def _body(text: str) -> dict[str, Any]:
    return {"type": "BODY", "text": text}


TEMPLATES: Final = (
    _template(1, "rappel_rendez_vous", "fr", _body("Bonjour {{1}}, nous vous attendons le {{2}} à {{3}}.")),
    _template(2, "appointment_reminder", "en", _body("Hello {{1}}, we are expecting you on {{2}} at {{3}}.")),
    _template(
        3,
        "commande_expediee",
        "fr",
        {"type": "HEADER", "format": "TEXT", "text": "Commande {{1}}"},
        _body("Bonjour {{1}}, votre commande de {{2}} est en route."),
        {"type": "FOOTER", "text": "Atelier du Bois Clair"},
        {
            "type": "BUTTONS",
            "buttons": [{"type": "URL", "text": "Suivre", "url": "https://example.com/suivi/{{1}}"}],
        },
    ),
    _template(
        4,
        "offre_ete",
        "fr",
        {"type": "HEADER", "format": "IMAGE"},
        _body("Bonjour {{1}}, -{{2}} % sur les tables jusqu’au {{3}}."),
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop"}]},
        category="MARKETING",
    ),
    _template(
        5,
        "bienvenue",
        "fr",
        _body("Bienvenue {{prenom}} ! Votre conseiller est {{conseiller}}."),
        parameter_format="NAMED",
    ),
    _template(6, "hello_world", "en_US", _body("Welcome and congratulations!")),
    _template(7, "fermeture_annuelle", "fr", _body("L’atelier est fermé du 1er au 21 août.")),
    _template(8, "ancienne_offre", "fr", _body("Bonjour {{1}}, une offre."), status="PAUSED"),
    _template(9, "offre_retiree", "fr", _body("Bonjour {{1}}, une offre."), status="DISABLED"),
    _template(10, "offre_en_attente", "fr", _body("Bonjour {{1}}, une offre."), status="PENDING"),
)


def found(name: Any, language: Any) -> dict[str, Any]:
    """The template of this name in this language, ready to be used.

    Raises:
        GraphError: There is none, or it is paused or disabled.
    """
    for template in TEMPLATES:
        if (template["name"], template["language"]) == (name, language):
            if template["status"] == "PAUSED":
                raise GraphError(132015)
            if template["status"] == "DISABLED":
                raise GraphError(132016)
            if template["status"] == "APPROVED":
                return template
    raise GraphError(132001, f"template name ({name}) does not exist in {language}")


def check(template: dict[str, Any], given: Any) -> None:
    """Hold the components of a message against its template.

    Raises:
        GraphError: Parameters are missing, too many, of another format, or too long.
    """
    if given is not None and not isinstance(given, list):
        raise GraphError(100, "Param template['components'] must be an array.")
    brought = [each for each in given or [] if isinstance(each, dict)]
    for component in template["components"]:
        kind = component["type"].lower()
        if kind == "buttons":
            _check_buttons(component["buttons"], brought)
            continue
        parameters = _parameters(brought, kind)
        if component.get("format", "TEXT") != "TEXT":
            _check_media(component["format"].lower(), parameters)
        else:
            _check_text(kind, component.get("text", ""), parameters, template["parameter_format"])


def _parameters(brought: list[dict[str, Any]], kind: str) -> list[Any]:
    for component in brought:
        if str(component.get("type", "")).lower() == kind:
            parameters = component.get("parameters", [])
            return parameters if isinstance(parameters, list) else []
    return []


def _check_media(kind: str, parameters: list[Any]) -> None:
    if len(parameters) != 1:
        _miscounted("header", len(parameters), 1)
    parameter = parameters[0]
    if not isinstance(parameter, dict) or parameter.get("type") != kind:
        name = parameter.get("type") if isinstance(parameter, dict) else "UNKNOWN"
        raise GraphError(
            132012, f"header: Format mismatch, expected {kind.upper()}, received {str(name).upper()}"
        )
    if not (parameter.get(kind) or {}).get("link") and not (parameter.get(kind) or {}).get("id"):
        raise GraphError(131008, f"{kind}: either a link or an id is needed")


def _check_text(kind: str, text: str, parameters: list[Any], style: str) -> None:
    variables = list(dict.fromkeys(_VARIABLE.findall(text)))
    if len(parameters) != len(variables):
        _miscounted(kind, len(parameters), len(variables))
    values = [_value(kind, at, each) for at, each in enumerate(parameters)]
    if style == "NAMED":
        names = [each.get("parameter_name") for each in parameters]
        if sorted(str(name) for name in names) != sorted(variables):
            raise GraphError(132012, f"{kind}: Parameter name does not match the template's: {names}")
        variables = [str(name) for name in names]
    whole = text
    for name, value in zip(variables, values, strict=True):
        whole = re.sub(r"{{\s*" + name + r"\s*}}", value.replace("\\", r"\\"), whole)
    if kind == "body" and len(whole) > LONGEST:
        raise GraphError(132005, f"body: text too long: {len(whole)} of {LONGEST} characters")


def _check_buttons(buttons: list[dict[str, Any]], brought: list[dict[str, Any]]) -> None:
    needed = [at for at, button in enumerate(buttons) if _VARIABLE.search(button.get("url", ""))]
    given = [each for each in brought if each.get("type") == "button" and each.get("sub_type") == "url"]
    if len(given) != len(needed):
        _miscounted("button", len(given), len(needed))
    for component in given:
        if len(component.get("parameters") or []) != 1:
            _miscounted("button", len(component.get("parameters") or []), 1)


def _value(kind: str, at: int, parameter: Any) -> str:
    if not isinstance(parameter, dict) or parameter.get("type") not in ("text", "currency", "date_time"):
        name = str(parameter.get("type") if isinstance(parameter, dict) else "UNKNOWN").upper()
        raise GraphError(132012, f"{kind}: Format mismatch, expected TEXT, received {name}")
    if parameter["type"] != "text":
        return str((parameter.get(parameter["type"]) or {}).get("fallback_value", ""))
    text = parameter.get("text")
    if not isinstance(text, str) or not text.strip():
        raise GraphError(131008, f"{kind}['parameters'][{at}]: Parameter of type text is missing text value")
    if re.search(r"[\n\t]| {5}", text):
        details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        raise GraphError(100, details)
    return text


def _miscounted(kind: str, given: int, needed: int) -> None:
    counted = f"number of localizable_params ({given})"
    raise GraphError(132000, f"{kind}: {counted} does not match the expected number of params ({needed})")
