"""The posts and pages that a new site has: a joiner's workshop, made up for practice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ..rules import Rules
from .meta import KEYS
from .store import Post, Store, Term
from .text import slug_of

_CATEGORIES: Final = ("Non classé", "Conseils", "Réalisations", "Actualités")
_TAGS: Final = ("Chêne", "Noyer", "Cuisine", "Bibliothèque")
_PAGES: Final = ("Accueil", "L’atelier", "Nos réalisations", "Tarifs", "Contact", "Mentions légales")
_TITLES: Final = (
    "Choisir son bois : chêne, frêne ou noyer ?",
    "Une bibliothèque sur mesure dans un couloir",
    "Entretenir un plan de travail en bois massif",
    "L’escalier de la maison des Tilleuls",
    "Pourquoi le bois « travaille »",
    "Huile ou vernis : que préférer ?",
    "Un dressing sous les combles",
    "La table qui s'allonge jusqu'à 14 couverts",
    "Réparer une chaise paillée",
    "Portes d’entrée : isoler & sécuriser",
    "Le séchage du bois, pas à pas",
    "Une cuisine en noyer à Sainte-Maxime",
    "Restaurer un parquet ancien",
    "Nos chutes deviennent des jouets",
    "Bien mesurer avant de commander",
    "Un banc de jardin qui dure",
    "Lames de terrasse : l’entretien de printemps",
    "La queue d’aronde expliquée",
    "Atelier ouvert : rendez-vous le 14 juin",
    "Peindre un meuble vernis",
    "Trois idées pour une entrée étroite",
    "Une bergère retrouve ses bras",
    "Comment naît un devis",
    "Fermeture annuelle",
)
_BODY: Final = (
    "<!-- wp:paragraph -->\n<p>{title} : voilà une question que l’on nous pose souvent à l’atelier. Nous y "
    "répondons ici, exemples à l’appui, sans langue de bois.</p>\n<!-- /wp:paragraph -->\n\n"
    "<!-- wp:paragraph -->\n<p>Chaque projet commence par une visite : nous mesurons, nous écoutons, puis "
    "nous dessinons. Comptez trois à six semaines selon l’essence choisie.</p>\n<!-- /wp:paragraph -->"
)


def plant(store: Store, rules: Rules) -> None:
    """Put the sample on a site that is new; leave any other as it is."""
    if store.terms("category"):
        return
    for taxonomy, names in (("category", _CATEGORIES), ("post_tag", _TAGS)):
        for name in names:
            store.keep_term(Term(0, taxonomy, name, slug_of(name)))
    for at, title in enumerate(_PAGES):
        store.keep(_made("page", title, at))
    for at, title in enumerate(_TITLES):
        post = _made("post", title, at + len(_PAGES))
        # One in four is the author's own; one is not published yet.
        post.author = 3 if at % 4 == 3 else 1
        post.status = "draft" if title == "Comment naît un devis" else "publish"
        post.terms = {"category": [2 + at % 3], "post_tag": [5 + at % 4]}
        if at % 2 == 0:
            values = (f"{title} - Atelier du Bois Clair", f"Découvrez notre article : {title}")
            post.meta = dict(zip(KEYS[rules.wordpress_seo], values, strict=False))
        store.keep(post)


def _made(kind: str, title: str, at: int) -> Post:
    date = (datetime(2024, 1, 8, 9, 30) + timedelta(days=9 * at)).isoformat()
    content = _BODY.format(title=title)
    return Post(
        type=kind,
        status="publish",
        date=date,
        modified=date,
        slug=slug_of(title),
        title=title,
        content=content,
    )
