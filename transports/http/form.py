"""What a web page says and which forms it has, as a person with a keyboard would see it.

The guide names fields by the words in front of them ("Cluster pre-shared key"); the names inside
the HTML are mostly not on record (device facts 12). So a field is found by its label, and all else
in its form goes back unchanged, hidden fields such as the `sessionid` token included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from transports.http.markup import Tag, Text, scan

MAX_FORMS = 50
MAX_FIELDS = 2000
MAX_CELL = 1000
"""Characters kept of one table cell or one line of a select."""
_BUTTONS = frozenset({"submit", "button", "image"})
_ROWS = frozenset({"tr", "li", "fieldset", "dt", "form", "h1", "h2", "h3", "h4"})


@dataclass
class Field:
    """One control. `note` is the text between it and the next control or row."""

    kind: str
    name: str
    value: str
    label: str = ""
    note: str = ""
    chosen: bool = True
    options: list[tuple[str, str, bool]] = field(default_factory=list)
    """Of a select: value, words shown, whether selected."""
    row: int = 0
    identity: str = ""

    def current(self) -> list[str]:
        """The values it sends when nobody touches it."""
        if self.kind == "select":
            selected = [value for value, _, marked in self.options if marked]
            return selected or [value for value, _, _ in self.options[:1]]
        if self.kind == "file" or self.kind in _BUTTONS or not self.chosen:
            return []
        return [self.value]

    def shown(self) -> str:
        """What a reader sees in it: for a select the words of the selected line."""
        if self.kind != "select":
            return self.value
        marked = [words for _, words, selected in self.options if selected]
        return (marked or [words for _, words, _ in self.options[:1]] or [""])[0]

    def value_for(self, words: str) -> str | None:
        """Of a select: the value behind a line with these words."""
        wanted = words.casefold()
        return next((v for v, shown, _ in self.options if shown.casefold() == wanted), None)


@dataclass
class Form:
    """One form: where it goes and its controls in order."""

    action: str = ""
    method: str = "get"
    fields: list[Field] = field(default_factory=list)

    def by_label(self, words: str) -> Field | None:
        """The first control (no button, nothing hidden) that stands behind these words."""
        wanted = _plain(words)
        for candidate in self.fields:
            usable = candidate.kind not in _BUTTONS and candidate.kind != "hidden"
            if usable and _plain(candidate.label) == wanted:
                return candidate
        return None

    def of_kind(self, kind: str) -> list[Field]:
        """All controls of a kind: `password`, `file`, `checkbox`, ..."""
        return [candidate for candidate in self.fields if candidate.kind == kind]

    def button(self, words: Iterable[str]) -> Field | None:
        """The button with one of these captions, in the order given."""
        for caption in words:
            for candidate in self.fields:
                if candidate.kind in _BUTTONS and _plain(candidate.value) == _plain(caption):
                    return candidate
        return None

    def filled(self, changes: Mapping[str, str | None], button: Field) -> list[tuple[str, str]]:
        """What a browser sends: all as it stands, but for `changes` (None: leave out).

        Only the pressed button is among it. Changes are by field name; a name the form does not
        have is added.
        """
        sent: list[tuple[str, str]] = []
        changed: set[str] = set()
        for control in self.fields:
            if control is button:
                if control.name:
                    sent.append((control.name, control.value))
            elif control.name in changes and control.kind not in _BUTTONS:
                value = changes[control.name]
                if control.name not in changed and value is not None:
                    sent.append((control.name, value))
                changed.add(control.name)
            elif control.name:
                sent += [(control.name, value) for value in control.current()]
        sent += [
            (name, value)
            for name, value in changes.items()
            if name not in changed and value is not None
        ]
        return sent


@dataclass
class Page:
    """A page: its title, its forms, its texts, its rows of cells and its links, in order."""

    title: str = ""
    forms: list[Form] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """Words and address of each link."""

    def form_with_button(self, words: Iterable[str]) -> tuple[Form, Field] | None:
        """The first form that has a button with one of these captions, and that button."""
        captions = tuple(words)
        for form in self.forms:
            button = form.button(captions)
            if button is not None:
                return form, button
        return None

    def word_after(self, label: str, *, after: str = "") -> str:
        """The text that stands behind a label, or "" where the page has no such label.

        With `after`, looks only behind that heading.
        """
        wanted, heading = _plain(label), _plain(after)
        seen = not heading
        for position, text in enumerate(self.texts):
            plain = _plain(text)
            if not seen:
                seen = plain == heading
            elif plain == wanted:
                return self.texts[position + 1] if position + 1 < len(self.texts) else ""
            elif plain.startswith(f"{wanted}:"):
                return text.partition(":")[2].strip()
        return ""


def read_page(page: str) -> Page:
    """Read a page. Accepts anything; bounded by MAX_FORMS, MAX_FIELDS and the scanner's limits."""
    reader = _Reader()
    for piece in scan(page):
        if isinstance(piece, Text):
            reader.text(piece.words)
        elif piece.closing:
            reader.end(piece)
        else:
            reader.start(piece)
    return reader.finished()


class _Reader:
    def __init__(self) -> None:
        self.page = Page()
        self._loose = Form()
        self._form: Form | None = None
        self._count = 0
        self._inside: str | None = None
        self._control: Field | None = None
        self._before = ""
        self._labels: dict[str, str] = {}
        self._label_for: str | None = None
        self._link: str | None = None
        self._option_value: str | None = None

    def start(self, tag: Tag) -> None:
        match tag.name:
            case "form" if len(self.page.forms) < MAX_FORMS:
                self._form = Form(
                    tag.attributes.get("action", ""), tag.attributes.get("method", "")
                )
                self.page.forms.append(self._form)
            case "input":
                self._input(tag)
            case "button" | "textarea" | "select":
                kind = "submit" if tag.name == "button" else tag.name
                self._inside = tag.name
                self._add(tag, kind, tag.attributes.get("value", ""))
            case "option":
                self._start_option(tag)
            case "label":
                self._label_for = tag.attributes.get("for")
                self._control = None
            case "a":
                self._link = tag.attributes.get("href", "")
            case "title":
                self._inside = "title"
            case "td" | "th" if self.page.rows:
                self.page.rows[-1].append("")
            case _:
                pass
        if tag.name in _ROWS:
            self._control = None
            self._before = ""
            if tag.name == "tr":
                self.page.rows.append([])

    def end(self, tag: Tag) -> None:
        if tag.name == "form":
            self._form = None
        elif tag.name in ("button", "textarea", "select", "title"):
            self._inside = None
        elif tag.name == "label":
            self._label_for = None
        elif tag.name == "a":
            self._link = None

    def text(self, words: str) -> None:
        if self._inside == "title":
            self.page.title = self.page.title or words
            return
        if self._inside == "select":
            self._option_words(words)
            return
        if self._inside in ("textarea", "button") and self._control is not None:
            self._control.value = self._control.value or words
            return
        self.page.texts.append(words)
        if self._link is not None:
            self.page.links.append((words, self._link))
        if self.page.rows and self.page.rows[-1]:
            cells = self.page.rows[-1]
            cells[-1] = _joined(cells[-1], words)
        if self._label_for is not None:
            self._labels.setdefault(self._label_for, words)
        elif self._control is not None and not self._control.note:
            self._control.note = words
        self._before = words

    def finished(self) -> Page:
        for form in (*self.page.forms, self._loose):
            for control in form.fields:
                control.label = self._labels.get(control.identity, control.label)
        return self.page

    def _input(self, tag: Tag) -> None:
        kind = tag.attributes.get("type", "text").casefold() or "text"
        default = "on" if kind in ("checkbox", "radio") else ""
        self._add(tag, kind, tag.attributes.get("value", default))
        if self._control is not None and kind in ("checkbox", "radio"):
            self._control.chosen = "checked" in tag.attributes

    def _add(self, tag: Tag, kind: str, value: str) -> None:
        if self._count >= MAX_FIELDS:
            self._control = None
            return
        self._count += 1
        control = Field(
            kind,
            tag.attributes.get("name", ""),
            value,
            label=self._before,
            chosen="disabled" not in tag.attributes,
            row=len(self.page.rows),
            identity=tag.attributes.get("id", "\0"),
        )
        (self._form or self._loose).fields.append(control)
        if kind != "hidden":
            self._control = control

    def _start_option(self, tag: Tag) -> None:
        if self._inside == "select" and self._control is not None:
            self._option_value = tag.attributes.get("value")
            if len(self._control.options) < MAX_FIELDS:
                value = self._option_value or ""
                self._control.options.append((value, "", "selected" in tag.attributes))

    def _option_words(self, words: str) -> None:
        if self._control is None or not self._control.options:
            return
        value, shown, selected = self._control.options[-1]
        joined = _joined(shown, words)
        # A line without a value of its own sends its words.
        kept = joined if self._option_value is None else value
        self._control.options[-1] = (kept, joined, selected)


def _joined(before: str, words: str) -> str:
    return before if len(before) >= MAX_CELL else f"{before} {words}".strip()[:MAX_CELL]


def _plain(words: str) -> str:
    return words.strip().rstrip(":*").strip().casefold()
