-- What each service role may do (docs/security.md): the whole truth, applied again whenever this file or the roles change.
-- A role that does not exist is granted nothing. Nobody may delete reservations, disks, volumes, snapshots, events or audit.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['gpudev_api', 'gpudev_engine', 'gpudev_ro', 'gpudev_audit'] LOOP
        IF to_regrole(role) IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
            EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role);
            EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
            EXECUTE format('GRANT SELECT ON schema_migration, schema_note TO %I', role);
        END IF;
    END LOOP;

    IF to_regrole('gpudev_api') IS NOT NULL THEN
        GRANT SELECT ON install, app_user, user_key, api_token, backend_claim, gpu_type, node, inventory, served, disk, volume,
            snapshot, reservation, gpu_slot, disk_lease, reservation_event, warning, plan, planner TO gpudev_api;
        GRANT USAGE ON SEQUENCE reservation_seq TO gpudev_api;
        GRANT INSERT ON app_user, user_key, api_token, used_nonce, audit_event, disk, snapshot, reservation, reservation_secret,
            reservation_event TO gpudev_api;
        GRANT SELECT ON used_nonce TO gpudev_api;
        GRANT UPDATE (is_admin, disabled_at) ON app_user TO gpudev_api;
        GRANT UPDATE (removed_at) ON user_key TO gpudev_api;
        GRANT SELECT, INSERT, UPDATE (removed_at) ON user_identity TO gpudev_api;
        GRANT UPDATE (revoked_at, last_used_at) ON api_token TO gpudev_api;
        GRANT UPDATE (cancel_requested_at, granted, expires_at, generation, wake_at, state_deadline, ending_notice_served,
            ending_notice_gaps) ON reservation TO gpudev_api;
        GRANT UPDATE (deleted_at, purge_at, wake_at, generation, restore_from, volume_id, leaving) ON disk TO gpudev_api;
        GRANT UPDATE (wanted) ON planner TO gpudev_api;
    END IF;

    IF to_regrole('gpudev_engine') IS NOT NULL THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO gpudev_engine;
        REVOKE SELECT ON api_token FROM gpudev_engine;
        GRANT USAGE ON SEQUENCE reservation_seq TO gpudev_engine;
        GRANT INSERT, UPDATE ON install, backend_claim, gpu_type, node, inventory, served, disk, volume, snapshot, reservation,
            gpu_slot, disk_lease, plan, planner, reservation_secret, listener_cursor TO gpudev_engine;
        GRANT INSERT ON reservation_event, warning, audit_event, app_user TO gpudev_engine;
        GRANT UPDATE (is_admin) ON app_user TO gpudev_engine;
        GRANT DELETE ON gpu_type, plan, reservation_secret, used_nonce TO gpudev_engine;
    END IF;

    IF to_regrole('gpudev_ro') IS NOT NULL THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO gpudev_ro;
        REVOKE SELECT ON reservation_secret, api_token, used_nonce, user_key, user_identity FROM gpudev_ro;
    END IF;

    IF to_regrole('gpudev_audit') IS NOT NULL THEN
        GRANT INSERT ON audit_event TO gpudev_audit;
    END IF;
END $$;
