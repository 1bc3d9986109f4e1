"""Fields of a real WordPress: terms by name, meta of every type, and what becomes of what it is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchkit.core.errors import MappingError
from batchkit.targets.wordpress.places import places_of
from batchkit.targets.wordpress.seo import PRESETS, find_seo
from batchkit.targets.wordpress.terms import Terms, UnknownTerms
from tests.support.wordpress_jobs import TITLE, counts, job, outcomes, post, problems, run
from tests.support.wordpress_site import WordPressSite
from tests.support.wordpress_web import WebServer

EXTRA = """<?php
add_action( 'init', function () {
    $all = array( 'single' => true, 'show_in_rest' => true );
    register_post_meta( 'post', '_locked', array( 'type' => 'string' ) + $all );
    register_post_meta( 'post', 'count', array( 'type' => 'integer', 'default' => 3 ) + $all );
    register_post_meta( 'post', 'flag', array( 'type' => 'boolean' ) + $all );
    register_post_meta( 'post', 'many', array( 'type' => 'string', 'show_in_rest' => true ) );
    register_post_meta( 'post', 'with.dot', array( 'type' => 'string' ) + $all );
} );
"""


pytestmark = pytest.mark.usefixtures("logins")


def extend(server: WebServer, code: str = EXTRA) -> None:
    """Add a plugin to a server."""
    (server.www / "wp-content" / "mu-plugins" / "extra.php").write_text(code)


# Terms


def test_terms_are_a_set_of_names() -> None:
    """Order, case, entities and separators don't count; a name of several terms needs its parent."""
    terms = Terms("categories")
    terms.add(
        [
            {"id": 1, "name": "Actualités", "slug": "actus", "parent": 0},
            {"id": 2, "name": "R&amp;D, essais", "slug": "rd", "parent": 0},
            {"id": 3, "name": "Rennes", "slug": "rennes", "parent": 1},
            {"id": 4, "name": "Rennes", "slug": "rennes-2", "parent": 2},
        ]
    )
    assert terms.ids("actualités | R&D, essais") == [1, 2]
    assert terms.ids("R&D, essais") == [2]
    assert terms.ids("ACTUALITÉS, rd") == [1, 2]
    assert terms.ids("Actualités > Rennes|R&D, essais>Rennes") == [3, 4]
    assert terms.text([4, 1]) == terms.text([1, 4]) == "Actualités|R&D, essais > Rennes"
    assert sorted(terms.ids(terms.text([1, 2, 3, 4]))) == [1, 2, 3, 4]
    with pytest.raises(UnknownTerms) as told:
        terms.ids("Rennes|Nantes")
    assert (told.value.names, told.value.several) == (["Nantes"], ["Rennes"])


def test_terms_by_name(wordpress: WordPressSite) -> None:
    """Names are held against names; unknown ones say what to do, or are made when the job says so, once."""
    first, second, third = wordpress.new_posts(3)
    rows = {
        "id": [first, second, third],
        "categories": ["Uncategorized", "Nouvelle & belle", "nouvelle & belle|Uncategorized"],
        "tags": [None, "un|deux", "deux"],
    }
    plan = job(wordpress, rows).plan()
    assert plan.counts["invalid"] == 2
    assert "'Nouvelle & belle'" in problems(plan, "terms")[0].message
    assert "create_terms" in problems(plan, "terms")[0].advice
    made = run(job(wordpress, rows, target={"create_terms": True}).plan())
    assert made.snapshot().outcomes["rejected"] == 0, outcomes(made)
    stored = wordpress.sql(
        "SELECT t.name FROM wp_term_relationships r JOIN wp_term_taxonomy x USING (term_taxonomy_id) "
        f"JOIN wp_terms t USING (term_id) WHERE r.object_id = {second} ORDER BY x.taxonomy, t.name"
    )
    assert [name for (name,) in stored] == ["Nouvelle &amp; belle", "deux", "un"]
    ((terms,),) = wordpress.sql(
        "SELECT count(*) FROM wp_terms WHERE name IN ('deux', 'un', 'Nouvelle &amp; belle')"
    )
    assert terms == "3"
    notices = [each["message"] for each in made.plan.facts["notices"]]
    assert any("makes tags that the site lacks (deux, un)" in each for each in notices), notices
    assert any("stay there after an undo" in each for each in notices)
    again = job(wordpress, rows, target={"create_terms": True}).plan()
    assert again.counts == {"unchanged": 3}
    assert not any("that the site lacks" in each["message"] for each in again.facts["notices"])
    undo = run(made.undo())
    assert undo.snapshot().outcomes["rejected"] == 0, outcomes(undo)


def test_pages_have_no_tags(wordpress: WordPressSite) -> None:
    """A field that a type hasn't got is refused for its rows, at once where the type is known."""
    (page,) = wordpress.new_posts(1, type="page")
    rows = {"id": [page], "categories": ["Uncategorized"]}
    made = run(job(wordpress, rows).plan())
    assert counts(made) == {"rejected": 1}
    assert "Pages have no categories" in outcomes(made)[str(page)]["reason"]
    plan = job(wordpress, {**rows, "type": ["page"]}).plan()
    assert plan.counts == {"invalid": 1}
    assert "Pages have no categories" in problems(plan)[0].message


# Meta


def test_meta_of_every_type(wordpress: WordPressSite) -> None:
    """Numbers, truth values, lists, names with dots: written, compared, undone; null takes the row away."""
    (number,) = wordpress.new_posts(1)
    rows = {
        "id": [number],
        "meta.count": ["7"],
        "meta.flag": ["oui"],
        "meta.many": ['["a", "b"]'],
        "meta.with.dot": ["x"],
    }
    with wordpress.server() as own:
        extend(own)
        plan = job(wordpress, rows, url=own.url).plan()
        assert plan.counts == {"update": 1}
        made = run(plan)
        assert counts(made) == {"done": 1}, outcomes(made)
        assert wordpress.meta(number)["count"] == "7"
        assert job(wordpress, rows, url=own.url).plan().counts == {"unchanged": 1}
        undo = run(made.undo())
        assert counts(undo) == {"done": 1}, outcomes(undo)
        assert not {"with.dot", "many"} & wordpress.meta(number).keys()


def test_a_meta_key_that_the_site_lacks(wordpress: WordPressSite) -> None:
    """A key that isn't registered is no field; the message names those that are near."""
    (number,) = wordpress.new_posts(1)
    with pytest.raises(MappingError, match=r"meta\.rank_math_titel") as told:
        job(
            wordpress, {"id": [number], "meta.rank_math_titel": ["x"]}, fields=["id", "meta.rank_math_titel"]
        ).plan()
    assert "meta.rank_math_title" in told.value.advice


@pytest.mark.parametrize("batch", ["yes", "no"])
def test_a_key_that_may_not_be_written(wordpress: WordPressSite, batch: str) -> None:
    """WordPress refuses one key and writes the others: the item is read back, and each is named."""
    (number,) = wordpress.new_posts(1)
    (other,) = wordpress.new_posts(1)
    before = [post(wordpress, n) for n in (number, other)]
    rows = {
        "id": [number, other],
        "title": ["Neuf", "Neuf"],
        "seo_title": ["Titre"] * 2,
        "meta._locked": ["x", None],
    }
    with wordpress.server() as own:
        extend(own)
        made = run(job(wordpress, rows, url=own.url, target={"batch": batch}).plan())
        assert counts(made) == {"done": 1, "rejected": 1}, outcomes(made)
        told = outcomes(made)[str(number)]
        assert told["rule"] == "rest_cannot_update"
        said, _, left = told["reason"].partition("Written: ")[2].partition("Not written: ")
        assert ("title" in said.replace("seo_title", "")) == (post(wordpress, number)["post_title"] == "Neuf")
        assert ("seo_title" in said) == (wordpress.meta(number).get(TITLE) == "Titre")
        assert "meta._locked" in left
        assert "mu-plugins" in told["advice"]
        undo = run(made.undo())
        assert counts(undo) == {"done": 2}, outcomes(undo)
        assert [post(wordpress, n) for n in (number, other)] == before
        assert TITLE not in wordpress.meta(number)


def test_a_key_that_is_ignored_in_silence(wordpress: WordPressSite) -> None:
    """200, and nothing stored: what came back is held against what was sent, and the plugin is named."""
    (number,) = wordpress.new_posts(1)
    with wordpress.server() as own:
        plan = job(wordpress, {"id": [number], "title": ["Neuf"], "seo_title": ["Titre"]}, url=own.url).plan()
        assert plan.counts == {"update": 1}
        Path(own.www / "wp-content" / "mu-plugins" / "batchkit-seo-meta.php").unlink()
        made = run(plan)
    assert counts(made) == {"rejected": 1}
    told = outcomes(made)[str(number)]
    assert told["rule"] == "not kept"
    assert "ignored seo_title" in told["reason"]
    assert "title was written" in told["reason"]
    assert "batchkit-seo-meta.php" in told["advice"]
    assert TITLE not in wordpress.meta(number)
    assert post(wordpress, number)["post_title"] == "Neuf"


# What WordPress does to texts


def test_what_a_login_may_not_write_is_taken_out(wordpress: WordPressSite) -> None:
    """WordPress cleans an author's HTML: the item says so, with what was sent and what is kept."""
    (number,) = wordpress.new_posts(1, author="author")
    rows = {"id": [number], "content": ["<p onclick='x()'>A</p><script>x</script>"], "seo_title": ["Titre"]}
    made = run(job(wordpress, rows, user="author").plan())
    assert counts(made) == {"rejected": 1}
    told = outcomes(made)[str(number)]
    assert "content" in told["reason"]
    assert "seo_title was written" in told["reason"]
    assert "onclick" in told["detail"]
    assert post(wordpress, number)["post_content"] == "<p>A</p>x"


def test_white_space_that_wordpress_trims(wordpress: WordPressSite) -> None:
    """A title that lost the space at its ends is done, and its detail says so."""
    (number,) = wordpress.new_posts(1)
    rows = {"id": [number], "title": ["  Au large  "]}
    made = run(job(wordpress, rows, fields={"id": {}, "title": {"strip": False}}).plan())
    assert counts(made) == {"done": 1}
    assert "trimmed" in outcomes(made)[str(number)]["detail"]
    assert post(wordpress, number)["post_title"] == "Au large"
    undo = run(made.undo())
    assert counts(undo) == {"done": 1}, outcomes(undo)


def test_a_slug_that_is_taken(wordpress: WordPressSite) -> None:
    """WordPress gives another slug than the wanted one: told, with both; an undo takes back that and more."""
    first, second, third = wordpress.new_posts(3)
    taken, before = post(wordpress, first)["post_name"], [post(wordpress, n) for n in (second, third)]
    rows = {"id": [second, third], "title": ["Neuf"] * 2, "slug": [taken, None]}
    made = run(job(wordpress, rows).plan())
    assert counts(made) == {"done": 1, "rejected": 1}
    detail = json.loads(outcomes(made)[str(second)]["detail"])
    assert detail["slug"] == {"sent": taken, "kept": f"{taken}-2"}
    assert detail["written"] == {"slug": f"{taken}-2", "title": "Neuf"}
    undo = made.undo()
    assert [each["message"] for each in undo.facts["notices"] if each["rule"] == "in_part"] == [
        "1 change was written in part; that part is taken back"
    ]
    assert counts(run(undo)) == {"done": 2}
    assert [post(wordpress, n) for n in (second, third)] == before


def test_a_new_post_under_another_slug(wordpress: WordPressSite) -> None:
    """WordPress keeps some slugs for itself: the post is made under another, and an undo finds it there."""
    rows = {"slug": ["feed"], "title": ["Neuf"], "status": ["publish"]}
    made = run(job(wordpress, rows, key=["slug"]).plan())
    assert counts(made) == {"rejected": 1}, outcomes(made)
    number = json.loads(outcomes(made)["feed"]["detail"])["id"]
    assert post(wordpress, number)["post_name"] == "feed-2"
    undo = run(made.undo())
    assert counts(undo) == {"done": 1}, outcomes(undo)
    assert post(wordpress, number)["post_status"] == "trash"


def test_a_status_that_is_none(wordpress: WordPressSite) -> None:
    """A status that the site hasn't got is a problem of its row, before anything is sent."""
    (number,) = wordpress.new_posts(1)
    plan = job(wordpress, {"id": [number], "status": ["publié"]}).plan()
    assert plan.counts == {"invalid": 1}
    assert problems(plan, "one_of")


def test_where_plugins_keep_their_texts() -> None:
    """Each plugin's own keys; All in One SEO's own property, where its add-on gives posts one."""
    text = {"type": "string"}
    schema = {"title": {"properties": {"raw": text}}, "meta": {"properties": {"_aioseo_title": text}}}
    plain = places_of(schema, (), PRESETS["aioseo"])
    assert plain["seo_title"].registered
    assert not plain["seo_description"].registered
    addon = places_of({**schema, "aioseo_meta_data": {"type": "object"}}, (), PRESETS["aioseo"])
    body: dict[str, object] = {}
    addon["seo_title"].put(body, "Titre")
    assert body == {"aioseo_meta_data": {"title": "Titre"}}
    assert addon["seo_title"].found({"aioseo_meta_data": {"title": "Titre", "x": 1}}) == "Titre"


@pytest.mark.parametrize(
    ("namespaces", "keys", "found"),
    [
        (["rankmath/v1"], [], ("rankmath", "plugin", 0)),
        (["rankmath/v1", "yoast/v1"], ["rank_math_title"], ("rankmath", "plugin", 0)),
        (["wp/v2"], ["_seopress_titles_title"], ("seopress", "keys", 0)),
        (["wp/v2"], ["_yoast_wpseo_title", "rank_math_title"], ("yoast", "keys", 1)),
    ],
)
def test_which_plugin_a_site_has(namespaces: list[str], keys: list[str], found: tuple[str, str, int]) -> None:
    """An active plugin whose keys can be written goes first; what it could be as well is told."""
    seo = find_seo("auto", namespaces, keys)
    assert seo.preset is not None
    assert (seo.preset.name, seo.because, len(seo.others)) == found


def test_a_site_without_seo(wordpress: WordPressSite) -> None:
    """Where no plugin is found, rows with SEO texts say so, and how to name it."""
    (number,) = wordpress.new_posts(1)
    with wordpress.server(plugin=False) as bare:
        rows = {"id": [number], "seo_title": ["Titre"]}
        plan = job(wordpress, rows, url=bare.url, target={"seo": "auto"}).plan()
    assert plan.counts == {"invalid": 1}
    told = problems(plan, "seo")[0]
    assert "No SEO plugin" in told.message
    assert "rankmath" in told.advice
