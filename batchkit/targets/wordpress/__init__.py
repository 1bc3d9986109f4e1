"""WordPress: posts, pages and any type of its REST API, with their SEO titles and descriptions.

to = "wordpress+https://editor@example.org"  # the password is the secret wp_password
key = ["id"]                                   # or slug, or url; and the type, where a column has it

[target]
types = ["posts", "pages"]
seo = "auto"                                   # yoast, rankmath, seopress, aioseo, none
batch = "auto"                                 # yes, no
"""
