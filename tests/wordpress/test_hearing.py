"""The events that the must-use plugin hears: every name, every shape of an argument, on a real
WordPress."""

import pytest

from panel.sync.events import KINDS, find_kind
from tests.wordpress.heard import ENTITY, hear, heard
from tests.wordpress.receiver import Receiver
from tests.wordpress.sites import Site, poll

NAMED = sorted(name for name in KINDS if not name.endswith("*"))
# The groups that take any event; the last parts are documented names of MIDDAG, and invented ones.
ANY = [
    *(f"entitlement.{end}" for end in ("created", "provisioned", "reactivated", "status_changed")),
    *(f"quote.{end}" for end in ("rejected", "status_changed", "viewed")),
    *(f"order.{end}" for end in ("completed", "cancelled", "anything_new")),
    *(f"license.{end}" for end in ("created", "renewed", "anything_new")),
]


# -- names -----------------------------------------------------------------------------------------


SPELLINGS = ["middag/{0}.{1}", "middag/{0}/{1}", "middag/{0}/{1}/some_type"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_kind_of_the_wire_is_heard(site: Site, receiver: Receiver, spelling: str) -> None:
    kinds = [*NAMED, *ANY]
    fired = [spelling.format(*kind.split(".", 1)) for kind in kinds]
    calls = [f"do_action( '{name}', {ENTITY} );" for name in fired]
    arrived = hear(site, receiver, "".join(calls), len(kinds))
    assert sorted(arrival.event for arrival in arrived) == sorted(kinds)
    assert all(find_kind(arrival.event) for arrival in arrived)
    assert {arrival.organization for arrival in arrived} == {42}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("middag/organization.renamed", "organization.updated"),
        ("middag/organization/removed", "organization.deleted"),
        ("middag/organisation.created", "organization.created"),
        ("middag/collaborator.created", "collaborator.added"),
        ("middag/collaborator/invited", "collaborator.added"),
        ("middag/collaborator.role_changed", "collaborator.updated"),
        ("middag/collaborator/deleted", "collaborator.removed"),
        ("middag/licence.activated", "license.activated"),
        ("middag/tax-invoice/issued", "tax_invoice.issued"),
        ("middag/quote_created", "quote.created"),
        ("middag/QuoteAccepted", "quote.accepted"),
        ("middag/order_paid_signal", "order.paid"),
    ],
)
def test_other_names_become_the_kinds_that_the_panel_knows(
    site: Site, receiver: Receiver, name: str, kind: str
) -> None:
    assert find_kind(kind)
    assert heard(site, receiver, f"do_action( '{name}', {ENTITY} );")[0] == kind


def test_three_spellings_of_one_event_are_one_hook(site: Site, receiver: Receiver) -> None:
    names = ["middag/quote.paid", "middag/quote/paid", "middag/quote/paid/renewal"]
    calls = "".join(f"do_action( '{name}', {ENTITY} );" for name in names)
    assert heard(site, receiver, calls) == ("quote.paid", 42, 7)


def test_what_is_no_event_of_ours_is_left_alone(site: Site, receiver: Receiver) -> None:
    """Filters of that name return their value unchanged; internal events of MIDDAG's bus are not
    sent."""
    code = f"""
        do_action( 'middag/bus/async_delivery', 7 );
        do_action( 'middag/ticket.renamed', {ENTITY} );
        do_action( 'middag/', {ENTITY} );
        do_action( 'middag_activated' );
        do_action( 'something/quote.created', {ENTITY} );
        $same = apply_filters( 'middag/quote.title', 'Title', {ENTITY} );
        do_action( 'middag/quote.created', {ENTITY} );
        echo wp_json_encode( array( $same, apply_filters( 'middag/quote.created', 'Name' ) ) );
    """
    visit = site.visit(code)
    assert visit.json == ["Title", "Name"]
    poll(lambda: receiver.arrivals, 10)
    poll(
        lambda: site.sql("SELECT COUNT(*) FROM wp_middag_panel_hooks WHERE due_at = 0")[0] == ["0"]
    )
    assert {arrival.event for arrival in receiver.arrivals} == {"quote.created"}
    assert receiver.records == [7]


def test_the_prefix_is_a_setting(site: Site, receiver: Receiver) -> None:
    site.configure(MIDDAG_PANEL_PREFIX="'account, acme.'")
    code = f"""
        do_action( 'middag/quote.created', {ENTITY} );
        do_action( 'account/quote.accepted', {ENTITY} );
        do_action( 'acme.quote/paid', {ENTITY} );
    """
    arrived = hear(site, receiver, code, 2)
    assert [arrival.event for arrival in arrived] == ["quote.accepted", "quote.paid"]


# -- arguments -------------------------------------------------------------------------------------


SHAPES = {
    "array": ENTITY,
    "array in camelCase": "array( 'id' => '7', 'organizationId' => '42' )",
    "array with a nested organization": "array( 'id' => 7, 'organization' => array( 'id' => 42 ) )",
    "stdClass": f"(object) {ENTITY}",
    "ArrayObject": f"new ArrayObject( {ENTITY} )",
    "floats of PHP": "array( 'id' => 7.0, 'organization_id' => 42.0 )",
    "public properties": "new Tests\\Properties()",
    "camelCase properties": "new Tests\\Camel()",
    "readonly properties": "new Tests\\Promoted()",
    "MIDDAG's entity": "new Tests\\Entity()",
    "JsonSerializable": "new Tests\\Serializable()",
    "snake_case getters": "new Tests\\SnakeGetters()",
    "camelCase getters": "new Tests\\CamelGetters()",
    "getters without get": "new Tests\\BareGetters()",
    "an organization as object": "new Tests\\WithOrganization()",
    "__get": "new Tests\\Magic()",
    "__call": "new Tests\\MagicCalls()",
    "a signal that holds an entity": "new Tests\\Signal()",
    "a signal with a payload": "new Tests\\PayloadSignal()",
    "the id, then an organization": "7, new Tests\\Organization( array( 'id' => 42 ) )",
    "an organization, then the entity": "new Tests\\Organization( array( 'id' => 42 ) ), "
    "array( 'id' => 7 )",
    "entity, old, new": f"{ENTITY}, 'active', 'suspended'",
    "a one-object array": f"array( (object) {ENTITY} )",
    "named arguments": f"license: (object) {ENTITY}, reason: 'late'",
    "named ids": "id: 7, organization_id: 42",
    "capital letters": "array( 'ID' => 7, 'OrganizationID' => '42' )",
    "JSON": "wp_json_encode( array( 'id' => 7, 'organization_id' => 42 ) )",
    "ids that are objects": "new Tests\\WrappedGetters()",
    "getAttributes()": "new Tests\\Attributes()",
    "one that fires the same event when it is asked": "new Tests\\Firing()",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_argument_is_read_whatever_its_shape(site: Site, receiver: Receiver, shape: str) -> None:
    code = f"do_action( 'middag/license.activated', {SHAPES[shape]} );"
    assert heard(site, receiver, code) == ("license.activated", 42, 7)


LISTS = {
    "arrays": "array( array( 'id' => 7, 'organization_id' => 42 ), "
    "array( 'id' => 8, 'organization_id' => 42 ) )",
    "after array_filter": "array( 3 => new Tests\\Properties(), "
    "5 => new Tests\\Entity( array( 'id' => 8, 'organization_id' => 42 ) ) )",
    "a collection": "new Tests\\Collection( new Tests\\Entity(), "
    "array( 'id' => 8, 'organization_id' => 42 ) ), 'a reason'",
    "JSON": '\'[{"id": 7, "organization_id": 42}, {"id": 8, "organization_id": 42}]\'',
    "ids": "array( 7, '8' ), new Tests\\Organization( array( 'id' => 42 ) )",
}


@pytest.mark.parametrize("records", LISTS)
def test_several_records_in_one_event_are_a_hook_each(
    site: Site, receiver: Receiver, records: str
) -> None:
    arrived = hear(site, receiver, f"do_action( 'middag/license.renewed', {LISTS[records]} );", 2)
    events = [(arrival.event, arrival.organization, arrival.record) for arrival in arrived]
    assert events == [("license.renewed", 42, 7), ("license.renewed", 42, 8)]


def test_a_thousand_records_in_one_event_cost_a_few_inserts(site: Site, receiver: Receiver) -> None:
    code = """
        $records = array();
        foreach ( range( 1, 1000 ) as $id ) {
            $records[] = array( 'id' => $id, 'organization_id' => 42 );
        }
        $before = $GLOBALS['wpdb']->num_queries;
        do_action( 'middag/license.renewed', $records );
        echo $GLOBALS['wpdb']->num_queries - $before;
    """
    assert site.visit(code).json == 2
    receiver.await_records(1000, 60)


def test_the_id_of_an_organization_beside_that_of_the_record(
    site: Site, receiver: Receiver
) -> None:
    site.sql(
        "INSERT INTO wp_posts SET ID = 9042, post_type = 'middag_organization',"
        " post_content = '', post_title = '', post_excerpt = '', to_ping = '', pinged = '',"
        " post_content_filtered = ''"
    )
    events = heard(site, receiver, "do_action( 'middag/order.paid', 505, 9042, 99.9 );")
    site.sql("DELETE FROM wp_posts WHERE ID = 9042")
    assert events == ("order.paid", 9042, 505)


def test_a_listener_that_somebody_removed_is_put_back(site: Site, receiver: Receiver) -> None:
    code = """foreach ( array( 1, 2 ) as $id ) {
        do_action( 'middag/order.paid', array( 'id' => $id, 'organization_id' => 42 ) );
        remove_all_actions( 'middag/order.paid' );
    }"""
    assert [arrival.record for arrival in hear(site, receiver, code, 2)] == [1, 2]


@pytest.mark.parametrize(
    "arguments",
    [
        "42, 'Acme'",
        "'42'",
        "new Tests\\Organization( array( 'id' => 42 ) )",
        "array( 'id' => 42 )",
        "get_post( 42 )",
        "new Tests\\Organization( array( 'organization_id' => 42, 'id' => 'event-1' ) )",
    ],
)
def test_an_organization_is_its_own(site: Site, receiver: Receiver, arguments: str) -> None:
    make = (
        "wp_insert_post( array( 'import_id' => 42, 'post_type' => 'page', 'post_title' => 'A' ) );"
    )
    site.php(f"if ( ! get_post( 42 ) ) {{ {make} }}")
    events = heard(site, receiver, f"do_action( 'middag/organization.created', {arguments} );")
    assert events == ("organization.created", 42, 42)


def test_an_unsaved_entity_has_no_id_and_is_heard(site: Site, receiver: Receiver) -> None:
    entity = "new Tests\\Entity( array( 'id' => null, 'organization_id' => 42 ) )"
    events = heard(site, receiver, f"do_action( 'middag/quote.created', {entity}, 42 );")
    assert events == ("quote.created", 42, None)


def test_what_belongs_to_nobody_is_dropped(site: Site, receiver: Receiver) -> None:
    entity = "array( 'id' => 7, 'organization_id' => null )"
    site.visit(f"do_action( 'middag/entitlement.created', {entity} );")
    poll(lambda: site.waiting == 0)
    assert receiver.tries == 0


def test_an_organization_is_looked_up_when_the_action_did_not_tell_it(
    site: Site, receiver: Receiver
) -> None:
    """The license names its entitlement, and the entitlement its organization; both are written
    after the action."""
    code = """
        $post = array( 'post_type' => 'middag_thing', 'post_title' => 'A' );
        $entitlement = wp_insert_post( $post );
        $license = wp_insert_post( $post );
        do_action( 'middag/license.activated', $license );
        update_post_meta( $license, 'entitlement_id', $entitlement );
        update_post_meta( $entitlement, '_organization_id', '42' );
        echo $license;
    """
    event, organization, record = heard(site, receiver, code)
    assert (event, organization) == ("license.activated", 42)
    assert isinstance(record, int)


def test_one_that_cannot_be_found_is_kept_and_shown(site: Site, receiver: Receiver) -> None:
    site.visit("do_action( 'middag/license.activated', 'no-such-record' );")
    for tries in range(1, 4):
        row = "SELECT state, tries FROM wp_middag_panel_hooks"
        poll(lambda: site.sql(row) == [["waiting", str(tries)]])  # noqa: B023 (asked at once)
        site.sql("UPDATE wp_middag_panel_hooks SET due_at = 0")
        site.visit("MiddagPanelHooks\\Wake::after_request();")
    poll(lambda: site.sql(row) == [["unassigned", "3"]])
    assert receiver.tries == 0
    output = site.php("echo MiddagPanelHooks\\Site_Health::test()['status'];")
    assert output == "recommended"


def test_a_filter_names_an_organization(site: Site, receiver: Receiver) -> None:
    code = """
        add_filter( 'middag_panel_organization', function ( $found, $domain, $record, $event ) {
            return "$domain $record $event" === 'license x-1 license.activated' ? 42 : $found;
        }, 10, 4 );
        do_action( 'middag/license.activated', 'x-1' );
    """
    assert heard(site, receiver, code) == ("license.activated", 42, "x-1")


def test_the_log_is_silent_about_what_was_heard(site: Site) -> None:
    assert site.complaints == []
