"""All texts of the panel exist in both languages, and the catalog has no other texts."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from panel.customer import matching
from panel.data import directory, links, search_index
from panel.models.organizations import Organization
from panel.upstream.chatwoot import ID_ATTRIBUTE, Contact, Conversation
from panel.web import labels, recent, sentences, verification_labels, vocabulary
from panel.web.attention import RULES
from panel.web.formats import CATALOGS, LOCALES, Formats
from panel.web.sections import SECTIONS
from panel.web.selection import TOTAL_LABELS

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
FOREIGN = [locale for locale in LOCALES if locale != "en"]
PLACEHOLDER = re.compile(r"%\((\w+)\)[ds]")

Text = str | tuple[str, str]  # one form, or singular and plural


def catalog(locale: str) -> Catalog:
    with (CATALOGS / f"{locale}.po").open("rb") as source:
        return read_po(source, locale=locale)


def messages(locale: str) -> dict[Text, Message]:
    """Return the messages of a catalog without its header, whose id is empty."""
    return {_text(message.id): message for message in catalog(locale) if message.id}


def _text(value: str | list[str] | tuple[str, ...]) -> Text:
    return value if isinstance(value, str) else (value[0], value[1])


def in_templates() -> Iterator[Text]:
    """Yield every string inside a call of `_` (a default too), and every pair given to
    `ngettext`."""
    for path in TEMPLATES:
        for call in Environment().parse(path.read_text()).find_all(nodes.Call):
            name = call.node.name if isinstance(call.node, nodes.Name) else ""
            strings = [constant.value for constant in call.find_all(nodes.Const)]
            texts = [string for string in strings if isinstance(string, str)]
            if name == "_":
                yield from texts
            elif name == "ngettext" and texts:
                yield texts[0], texts[1]


def in_formats() -> Iterator[Text]:
    for node in ast.walk(ast.parse((ROOT / "panel/web/formats.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            if node.func.attr == "gettext" and isinstance(first, ast.Constant):
                yield str(first.value)


TABLES = (
    vocabulary.ORGANIZATION_STATUSES,
    vocabulary.PAYMENT_METHODS,
    vocabulary.CHANNELS,
    vocabulary.ROLES,
    labels.SEARCH_CAUSES,
    vocabulary.ENTITLEMENT_LABELS,
    vocabulary.INVITES,
    vocabulary.AREAS,
    labels.CHATWOOT_CAUSES,
    labels.REASONS,
    labels.SIGN_IN,
    labels.NOTICES,
    labels.HIDDEN_KINDS,
    labels.CHANNEL_WARNINGS,
    labels.SHORTCUTS,
    labels.NOTE_OUTCOMES_SAID,
    verification_labels.VERIFIED_BY,
    verification_labels.HINTS,
    verification_labels.ANSWER_NAMES,
    verification_labels.VERIFY_REFUSALS,
)


def in_tables() -> Iterator[Text]:
    for table in TABLES:
        yield from table.values()
    yield from labels.LEFT_OUT.values()
    yield from TOTAL_LABELS
    yield from (*labels.SOURCES.values(), *labels.UNCOVER_REASONS)
    yield sentences.SITES
    yield from recent.WORDS.values()
    for forms_by_word in (sentences.SUBJECTS, *sentences.SENTENCES.values()):
        for forms_of_one in forms_by_word.values():
            yield from forms_of_one
    for rule in RULES:
        yield rule.words[0] if rule.words[0] == rule.words[1] else rule.words
    for section in SECTIONS.values():
        yield from (section.title, section.empty, section.none_shown)
        yield from (section.uncover, *section.uncover_one.values())
        yield section.all_shown
        yield from section.statuses.values()
        yield section.closed
    for country in ("BR", "US", "DE"):
        yield Organization(1, "", country=country).tax_label


def sources() -> set[str]:
    """Return the ways in which an organization is found: claims, the evidence of links, kinds of
    search words."""
    claim = {ID_ATTRIBUTE: "42"}
    names = {*directory.KEY_NAMES, links.CONVERSATION, links.CONTACT}
    for own, other in ((claim, {}), ({}, claim)):
        person = Contact(1, "", None, None, None, other)
        claims = matching.identify(Conversation(1, 1, "", False, person, own), []).candidates
        names |= {candidate.source for candidate in claims}
    kinds = search_index.make_terms(
        1, ["Acme"], "11", ["a@b.example"], ["+5561999990001"], ["PLG-2"]
    )
    return names | set(kinds.values()) - {search_index.BY_ID, search_index.BY_NAME}


def test_every_way_to_find_an_organization_has_a_name() -> None:
    assert sources() == set(labels.SOURCES)


def used() -> set[Text]:
    texts: set[Text] = {*in_templates(), *in_formats(), *in_tables()}
    return texts - {"", ("", "")}


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


@pytest.mark.parametrize("locale", FOREIGN)
def test_every_text_that_is_shown_has_a_translation(locale: str) -> None:
    catalogue = messages(locale)
    missing = [text for text in used() if text not in catalogue or not all(forms(catalogue[text]))]
    assert not missing, f"{locale}.po lacks {missing}"


@pytest.mark.parametrize("locale", FOREIGN)
def test_the_catalog_holds_no_text_that_nobody_uses(locale: str) -> None:
    unused = set(messages(locale)) - used()
    assert not unused, f"nobody uses {unused}"


@pytest.mark.parametrize("locale", FOREIGN)
def test_no_translation_is_a_guess(locale: str) -> None:
    assert not [text for text, message in messages(locale).items() if message.fuzzy]


@pytest.mark.parametrize("locale", FOREIGN)
def test_a_translation_has_the_placeholders_of_its_text(locale: str) -> None:
    for text, message in messages(locale).items():
        names = set(PLACEHOLDER.findall(text if isinstance(text, str) else text[1]))
        for form in forms(message):
            assert set(PLACEHOLDER.findall(form)) == names, (text, form)
            assert "%" not in PLACEHOLDER.sub("", form), (text, form)


@pytest.mark.parametrize("locale", FOREIGN)
def test_a_translation_ends_as_its_text_does(locale: str) -> None:
    for text, message in messages(locale).items():
        if isinstance(text, str):
            end = text[-1] if text[-1] in ".:?" else ""
            assert forms(message)[0].endswith(end), (text, message.string)


@pytest.mark.parametrize("locale", FOREIGN)
def test_the_catalog_is_what_the_templates_speak(locale: str) -> None:
    catalogue = messages(locale)
    fmt = Formats(locale, UTC)
    for text in used():
        if isinstance(text, str):
            assert fmt.gettext(text) == catalogue[text].string
        else:
            spoken = [fmt.ngettext(*text, count) for count in (1, 2)]
            assert spoken == forms(catalogue[text])


# The text of a template between its tags, or in an attribute that people hear or see.
CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
NOT_WORDS = re.compile(r"<(title|code|script|svg)\b.*?</\1>", re.DOTALL)
SPOKEN = re.compile(r"\b(?:title|aria-label|alt|placeholder)=([\"'])(.*?)\1")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_no_template_says_a_word_past_the_catalog(path: Path) -> None:
    source = NOT_WORDS.sub("", CODE.sub("", path.read_text()))
    spoken = [match[1] for match in SPOKEN.findall(source)]
    spoken.append(re.sub(r"<[^>]*>", " ", source))
    assert not re.search(r"[^\W\d_]", " ".join(spoken)), path
