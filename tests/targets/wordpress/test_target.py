"""Posts of a real WordPress brought in line with a sheet: planned, written, verified, undone."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from batchkit.core.states import RunState
from tests.support.wordpress_faults import meddled
from tests.support.wordpress_jobs import (
    DESCRIPTION,
    TITLE,
    all_texts,
    counts,
    job,
    outcomes,
    post,
    problems,
    run,
    target,
)
from tests.support.wordpress_site import WordPressSite

pytestmark = pytest.mark.usefixtures("logins")


def test_the_agencys_own_file(wordpress: WordPressSite, shared_data: Path) -> None:
    """552 rows against 4,341 posts: planned in seconds, each update stored, the rest missing, all undone."""
    file = shared_data / "wp" / "meta-data-1min30.csv"
    before = all_texts(wordpress)
    start = time.monotonic()
    plan = job(wordpress, str(file)).plan()
    assert time.monotonic() - start < 10
    assert plan.key == ["id", "type"]
    assert plan.counts == {"update": 476, "missing": 76}
    told = problems(plan)
    assert sum(each.rule == "max_length" and each.level == "warning" for each in told) == 63 + 76
    missing = [each for each in told if each.rule == "missing"]
    assert len(missing) == 76
    assert "not there" in missing[0].advice
    assert "may not edit" in missing[0].advice
    made = run(plan)
    assert made.snapshot().state is RunState.FINISHED, made.snapshot().message
    assert counts(made) == {"done": 476, "rejected": 76}
    stored = wordpress.sql(
        "SELECT post_id, meta_key, meta_value FROM wp_postmeta "
        f"WHERE meta_key IN ('{TITLE}', '{DESCRIPTION}')"
    )
    there = {(number, key): value for number, key, value in stored}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter=";") if row["type"] == "post"]
    assert len(rows) == 476
    for row in rows:
        assert there[row["id"], TITLE] == row["seo_title"].strip()
        assert there[row["id"], DESCRIPTION] == row["seo_description"].strip()
    undo = run(made.undo())
    assert counts(undo) == {"done": 476}
    assert all_texts(wordpress) == before  # the rows of meta that were made are gone again


def test_the_whole_export_is_compared_in_seconds(wordpress: WordPressSite, shared_data: Path) -> None:
    """4,341 posts are read back a hundred a page; their own export changes nothing, and entities are raw."""
    file = str(shared_data / "wp" / "export.csv")
    start = time.monotonic()
    # Some titles end in a no-break space, there and here.
    fields = {"id": {}, "type": {}, "seo_title": {"strip": False}, "seo_description": {}}
    plan = job(wordpress, file, fields=fields).plan()
    assert time.monotonic() - start < 30
    assert plan.counts == {"unchanged": 4341}
    # Columns that only a key may be (url) don't get in the way of those that are named as fields.
    assert "url" not in job(wordpress, file).plan().fields


def test_every_field_there_and_back(wordpress: WordPressSite) -> None:
    """Title, content, excerpt, slug, status, date, author and meta are written as sent; an undo is exact."""
    (number,) = wordpress.new_posts(1, meta={TITLE: "Old", "rank_math_title": "RM"})
    before, slug = all_texts(wordpress), post(wordpress, number)["post_name"]
    plan = job(
        wordpress,
        {
            "id": [number],
            "title": ["L&rsquo;été, « c’est » \\ \\\\ 5 < 6 & 😀"],
            "content": ["<!-- wp:paragraph -->\n<p>A\\b \"c\" 'd'</p>\r\n\r\n<!-- /wp:paragraph -->"],
            "excerpt": ["Court & bon"],
            "slug": ["un-nouveau-slug"],
            "status": ["draft"],
            "date": ["2023-02-03 04:05:06"],
            "author": ["2"],
            "seo_title": ["Le nouveau titre, assez long pour cela"],
            "seo_description": ["Une description " * 6],
            "meta.rank_math_title": [None],
        },
    ).plan()
    assert plan.counts == {"update": 1}
    made = run(plan)
    assert counts(made) == {"done": 1}, outcomes(made)
    assert post(wordpress, number) == {
        "post_title": "L&rsquo;été, « c’est » \\ \\\\ 5 < 6 & 😀",
        "post_content": "<!-- wp:paragraph -->\n<p>A\\b \"c\" 'd'</p>\r\n\r\n<!-- /wp:paragraph -->",
        "post_excerpt": "Court & bon",
        "post_status": "draft",
        "post_name": "un-nouveau-slug",
        "post_date": "2023-02-03 04:05:06",
    }
    meta = wordpress.meta(number)
    assert meta[TITLE] == "Le nouveau titre, assez long pour cela"
    assert meta[DESCRIPTION] == ("Une description " * 6).strip()
    assert "rank_math_title" not in meta
    assert job(
        wordpress, {"id": [number], "title": ["L&rsquo;été, « c’est » \\ \\\\ 5 < 6 & 😀"]}
    ).plan().counts == {"unchanged": 1}
    undo = run(made.undo())
    assert counts(undo) == {"done": 1}, outcomes(undo)
    assert all_texts(wordpress) == before
    assert post(wordpress, number)["post_name"] == slug


@pytest.mark.parametrize("batch", ["yes", "no"])
def test_one_by_one_and_in_batches(wordpress: WordPressSite, batch: str) -> None:
    """Both ways write the same; only what changes is sent, drafts and private posts among them."""
    numbers = [
        *wordpress.new_posts(30, meta={TITLE: "Old {}", DESCRIPTION: "Same"}),
        *wordpress.new_posts(3, status="draft"),
        *wordpress.new_posts(3, status="private"),
        *wordpress.new_posts(3, type="page"),
    ]
    rows = {
        "id": numbers,
        "type": ["post"] * 36 + ["page"] * 3,
        "seo_title": [f"New title {n}" for n in numbers],
        "seo_description": ["Same"] * 39,
    }
    plan = job(wordpress, rows, target={"batch": batch}).plan()
    assert plan.counts == {"update": 39}
    asked = meddled(wordpress, batch=batch, key=("id", "type"))
    made = run(plan, chunk_size=20, target=asked)
    assert counts(made) == {"done": 39}, outcomes(made)
    assert [wordpress.meta(n)[TITLE] for n in numbers] == [f"New title {n}" for n in numbers]
    writes = len(asked._transport.writes)  # type: ignore[union-attr]
    assert writes == (2 if batch == "yes" else 39)
    assert counts(run(made.undo())) == {"done": 39}
    assert wordpress.meta(numbers[0])[TITLE] == "Old 1"


def test_without_a_type_each_is_searched(wordpress: WordPressSite) -> None:
    """Posts and pages in one file, with no column to tell them apart."""
    numbers = [*wordpress.new_posts(2), *wordpress.new_posts(2, type="page")]
    rows = {"id": [*numbers, 99_999_999], "seo_title": ["Un titre"] * 5}
    plan = job(wordpress, rows).plan()
    assert plan.counts == {"update": 4, "missing": 1}
    assert counts(run(plan)) == {"done": 4, "rejected": 1}
    assert all(wordpress.meta(n)[TITLE] == "Un titre" for n in numbers)


def test_a_type_is_called_by_any_of_its_names(wordpress: WordPressSite) -> None:
    """`post`, `posts` and `Posts` mean one; a type the job doesn't write, or the site hasn't got, says so."""
    numbers = wordpress.new_posts(5)
    rows = {
        "id": numbers,
        "type": ["post", "posts", "Posts", "attachment", "nonsense"],
        "seo_title": [f"Title {n}" for n in numbers],
    }
    plan = job(wordpress, rows).plan()
    assert plan.counts == {"update": 3, "invalid": 2}
    other, unknown = problems(plan, "type")
    assert "media" in other.advice
    assert "no such type" in unknown.message


def test_edits_since_the_plan_are_kept(wordpress: WordPressSite) -> None:
    """What somebody edited at the site since is a conflict with both values; nothing is overwritten."""
    first, second = wordpress.new_posts(2, meta={TITLE: "Old"})
    plan = job(wordpress, {"id": [first, second], "seo_title": ["New", "New"]}).plan()
    wordpress.sql(
        f"UPDATE wp_postmeta SET meta_value = 'Theirs' WHERE post_id = {first} AND meta_key = '{TITLE}'"
    )
    made = run(plan)
    assert counts(made) == {"done": 1, "conflict": 1}
    assert '"found": "Theirs"' in outcomes(made)[str(first)]["detail"]
    assert wordpress.meta(first)[TITLE] == "Theirs"


def test_creating_by_slug_and_undoing_it(wordpress: WordPressSite) -> None:
    """A slug that isn't there becomes a draft; its id and address are kept; an undo puts it in the trash."""
    rows = {
        "slug": ["tout-neuf-1", "tout-neuf-2"],
        "title": ["Neuf 1", "Neuf 2"],
        "seo_title": ["Un titre", None],
    }
    plan = job(wordpress, rows, key=["slug"]).plan()
    assert plan.counts == {"create": 2}
    assert any("trash" in each["message"] for each in plan.facts["notices"])
    made = run(plan)
    assert counts(made) == {"done": 2}, outcomes(made)
    there = wordpress.sql(
        "SELECT post_status, post_title FROM wp_posts WHERE post_name LIKE 'tout-neuf%' ORDER BY 2"
    )
    assert there == [("draft", "Neuf 1"), ("draft", "Neuf 2")]
    assert '"id":' in outcomes(made)["tout-neuf-1"]["detail"]
    undo = run(made.undo())
    assert counts(undo) == {"done": 2}, outcomes(undo)
    there = wordpress.sql(
        "SELECT post_status FROM wp_posts WHERE post_title LIKE 'Neuf _' AND post_type = 'post'"
    )
    assert there == [("trash",), ("trash",)]


def test_seo_texts_are_checked(wordpress: WordPressSite) -> None:
    """Lengths and twins in the file are warnings, with the row; nothing is kept from being sent."""
    numbers = wordpress.new_posts(3)
    good = "Un titre de quarante caractères, ou plus"
    rows = {
        "id": numbers,
        "seo_title": ["Court", good, good],
        "seo_description": ["x" * 161, "Une bonne description " * 5, "Une autre bonne description " * 4],
    }
    plan = job(wordpress, rows).plan()
    assert plan.counts == {"update": 3}
    told = sorted((each.rule, each.row, each.level) for each in problems(plan))
    assert told == [
        ("max_length", 2, "warning"),
        ("min_length", 2, "warning"),
        ("unique", 3, "warning"),
        ("unique", 4, "warning"),
    ]


def test_the_site_tells_its_plugin(wordpress: WordPressSite) -> None:
    """With no plugin active, it is the one under whose keys the posts have texts; the job may say another."""
    asked = target(wordpress, seo="auto")
    asked.connect()
    assert asked.site.seo.preset is not None
    assert asked.site.seo.preset.name == "yoast"
    assert asked.site.seo.because == "texts"
    (number,) = wordpress.new_posts(1)
    rows = {"id": [number], "seo_title": ["Titre"], "seo_description": ["Description"]}
    assert counts(run(job(wordpress, rows, target={"seo": "seopress"}).plan())) == {"done": 1}
    assert wordpress.meta(number)["_seopress_titles_title"] == "Titre"
    assert wordpress.meta(number)["_seopress_titles_desc"] == "Description"
