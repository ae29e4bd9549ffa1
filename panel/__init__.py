"""The MIDDAG contact panel for Chatwoot: shows the customer of a conversation beside the chat, with
the back office's facts.

The map, in reading order. A module imports only modules that stand before it.

    environment/ parsers · variables
    .           settings · metrics · errors · exact_json · deadline · locks · bulkhead
    logs/       request_id · formatter · events
    serving/    framing · connection · buffering · server_log
    models/     text · countries · phones · values · dates · money · fields · lines ·
                organizations · orders · licenses
    cache/      ttl_cache · entries · generations · backend · touches · states ·
                copies · policy
    upstream/   circuit_breaker · failures · transport · addresses · cache_headers · rejections ·
                bodies · exchange · client · inspection · documents · record_documents · paging ·
                middag_rejections · rotation · middag · chatwoot_rejections · chatwoot_parts ·
                chatwoot_languages · chatwoot_records · chatwoot_calls · chatwoot_access ·
                chatwoot_contacts · chatwoot_conversations · chatwoot_messages · chatwoot
    data/       migrations · db · schema · obstacles · ownership · links · directory_tables ·
                matches · verifications · verification_tries · erasures · forgotten · directory ·
                sightings · search_index · audit_log · notes · preferences · delivery_log · tasks ·
                inbox_tables · inbox · pass_states · lanes · line_ups · readings · nights ·
                dead_letters · workers · leader · installation · backlog · standing · history ·
                recent
    auth/       background_checks · access · revocation · seal · verification_checks · tokens ·
                sessions · whoami · throttle · credentials · methods
    .           services · deliveries
    health/     finding · worker_health · sync_checks · journal
    .           checks
    customer/   matching · disclosure · lookup · decisions · noting · acquaintance · search ·
                answers · verification
    web/        polling · labels · verification_labels · vocabulary · formats · groups ·
                selection · sections · details · row_readers · situation · attention · deep_links ·
                sentences · rendering · section_rendering · languages · recent · summaries ·
                arrangement · opening · csrf · sign_in · panel · rows · actions · verify · copies ·
                figures · watch · arrival · health · bundle · assets · request_ids ·
                request_metrics · security_headers
    sync/       wire · receipts · events · people · description · news · contact_errors ·
                memberships · conversations · contact_search · contact_writer · contacts ·
                departures · seat_writer · seats · progress · settled · plan · reconcile ·
                recovery · rate_limit · group_commit · engine_client · pass_queue · intake ·
                task_intake · event_parts · chatwoot_events · night_contacts · night_strays ·
                night_parts · night · reasons · tries · heartbeat · pass_runner · task_runner ·
                dispatcher · sweep · work · executor · worker · installation_mark · dry_run · jobs ·
                plugin_hooks · chatwoot_hooks · openapi
    privacy/    holdings · subjects · clearing · forgetting · export
    explain/    identity · documents · explanation · lines · page
    .           routes
    doctor/     diagnosis · settings · back_office · chatwoot · state · arrival · lists · work ·
                delivery
    cli/        output · integer_money · definitions · survey · claim · setup_plan ·
                setup_findings · setup · doctor_setup · doctor · explain · forget · monitoring ·
                night_status · sync_status · sync_buried · sync_erased · sync · commands · console
    .           application
    demo/       the built-in back office and the built-in Chatwoot

`customer` and `web` are the reading wing, `sync` is the writing wing: neither imports the other.
`application.create_app` imports all folders.
"""
