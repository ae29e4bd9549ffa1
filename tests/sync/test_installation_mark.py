"""The mark of an installation stands in the definition of one attribute of contacts."""

from panel.sync.installation_mark import find_marked

OURS = {"attribute_model": "contact_attribute", "attribute_key": "middag_organization_id"}


def test_no_attribute_beside_ours_carries_the_mark() -> None:
    others = [
        {"attribute_model": "conversation_attribute", "attribute_key": "middag_organization_id"},
        {"attribute_model": "contact_attribute", "attribute_key": "middag_plan"},
        {"attribute_model": "contact_attribute", "attribute_key": "a_key_of_the_shop"},
    ]
    assert find_marked([*others, OURS]) == OURS
    assert find_marked(others) is None
