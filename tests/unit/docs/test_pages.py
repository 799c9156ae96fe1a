"""The generated pages of docs/ say what the code says."""

from app.cli.pages import pages


def test_every_generated_page_is_up_to_date():
    stale = [
        path.name
        for path, text in pages()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: make docs"
