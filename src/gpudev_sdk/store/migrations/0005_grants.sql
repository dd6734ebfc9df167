-- What each service role may do (docs/security.md). On a foreign server that has no such roles, nothing is granted.

DO $$
BEGIN
    IF to_regrole('gpudev_api') IS NOT NULL THEN
        GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO gpudev_api;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO gpudev_api;
        GRANT UPDATE (name, is_admin, disabled_at) ON app_user TO gpudev_api;
        GRANT UPDATE (removed_at) ON user_key TO gpudev_api;
        GRANT UPDATE (revoked_at, last_used_at) ON api_token TO gpudev_api;
        GRANT DELETE ON used_nonce TO gpudev_api;
        GRANT UPDATE (cancel_requested_at, granted, expires_at, generation, wake_at, state_deadline, detail,
                      ending_notice_served, ending_notice_gaps) ON reservation TO gpudev_api;
        GRANT UPDATE (name, deleted_at, purge_at, wake_at, generation, restore_from, volume_id) ON disk TO gpudev_api;
        GRANT UPDATE (state) ON snapshot TO gpudev_api;
        GRANT UPDATE (wanted) ON planner TO gpudev_api;
        REVOKE INSERT ON plan, gpu_type, node, gpu_slot, disk_lease, backend_claim, inventory, warning, served, planner,
            install FROM gpudev_api;
    END IF;
    IF to_regrole('gpudev_engine') IS NOT NULL THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO gpudev_engine;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO gpudev_engine;
        GRANT INSERT, UPDATE ON install, backend_claim, gpu_type, node, inventory, served, disk, volume, snapshot, reservation,
            gpu_slot, disk_lease, plan, planner TO gpudev_engine;
        GRANT INSERT ON reservation_event, reservation_secret, warning, audit_event TO gpudev_engine;
        GRANT DELETE ON gpu_type, gpu_slot, node, inventory, plan, reservation_secret, used_nonce TO gpudev_engine;
        GRANT UPDATE ON reservation_secret TO gpudev_engine;
    END IF;
    IF to_regrole('gpudev_ro') IS NOT NULL THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO gpudev_ro;
        REVOKE SELECT ON reservation_secret, api_token, used_nonce FROM gpudev_ro;
    END IF;
    IF to_regrole('gpudev_audit') IS NOT NULL THEN
        GRANT INSERT ON audit_event TO gpudev_audit;
    END IF;
END $$;
