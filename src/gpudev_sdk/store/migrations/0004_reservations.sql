-- Reservations and disks. Uniqueness, one writer per disk and one holder per slot are constraints here; laws follow in 0005.

CREATE TABLE disk (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES app_user,
    name text NOT NULL CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' AND name !~ '\n'),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    backend text,
    node text,
    -- The volume that holds the newest content; NULL until first use, or while it must come from a snapshot.
    volume_id uuid,
    restore_from uuid,
    generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT gpudev_now(),
    last_used_at timestamptz,
    used_bytes bigint,
    deleted_at timestamptz,
    purge_at timestamptz,
    purged_at timestamptz,
    needs_attention text,
    wake_at timestamptz,
    lease_holder text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    CHECK ((deleted_at IS NULL) = (purge_at IS NULL)),
    CHECK (purged_at IS NULL OR deleted_at IS NOT NULL)
);
CREATE UNIQUE INDEX disk_name ON disk (owner_id, name) WHERE deleted_at IS NULL;
CREATE INDEX disk_wake ON disk (wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE volume (
    id uuid PRIMARY KEY,
    disk_id uuid NOT NULL REFERENCES disk,
    backend text NOT NULL,
    node text NOT NULL,
    zone text NOT NULL DEFAULT 'local',
    handle text,
    state text NOT NULL CHECK (state IN ('intended', 'ready', 'deleting', 'deleted')),
    from_snapshot_id uuid,
    created_at timestamptz NOT NULL DEFAULT gpudev_now(),
    -- When it was last seen without a writer after having one.
    detached_at timestamptz,
    -- What makes deleting it lose nothing.
    deletable_snapshot_id uuid,
    delete_reason text CHECK (delete_reason IN ('snapshotted', 'disk-deleted', 'never-used')),
    CHECK (state IN ('intended', 'ready') OR delete_reason IS NOT NULL),
    CHECK (delete_reason <> 'snapshotted' OR deletable_snapshot_id IS NOT NULL)
);
CREATE INDEX volume_disk ON volume (disk_id);
ALTER TABLE disk ADD FOREIGN KEY (volume_id) REFERENCES volume DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE snapshot (
    id uuid PRIMARY KEY,
    disk_id uuid NOT NULL REFERENCES disk,
    volume_id uuid NOT NULL REFERENCES volume,
    backend text NOT NULL,
    handle text,
    state text NOT NULL CHECK (state IN ('intended', 'pending', 'completed', 'error', 'deleting', 'deleted')),
    -- `end` of a reservation, or `asked` by its owner.
    reason text NOT NULL CHECK (reason IN ('end', 'asked')),
    requested_at timestamptz NOT NULL DEFAULT gpudev_now(),
    completed_at timestamptz,
    size_bytes bigint,
    trouble text,
    CHECK (state <> 'completed' OR completed_at IS NOT NULL)
);
CREATE INDEX snapshot_disk ON snapshot (disk_id, requested_at DESC);
CREATE INDEX snapshot_open ON snapshot (disk_id) WHERE state IN ('intended', 'pending', 'deleting');
ALTER TABLE volume ADD FOREIGN KEY (deletable_snapshot_id) REFERENCES snapshot;
ALTER TABLE volume ADD FOREIGN KEY (from_snapshot_id) REFERENCES snapshot;
ALTER TABLE disk ADD FOREIGN KEY (restore_from) REFERENCES snapshot;

CREATE SEQUENCE reservation_seq;

CREATE TABLE reservation (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES app_user,
    name text NOT NULL CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' AND name !~ '\n'),
    request jsonb NOT NULL,
    request_digest bytea NOT NULL,
    idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 128),
    gpu_type text NOT NULL,
    gpus int NOT NULL CHECK (gpus >= 0),
    slots_needed int NOT NULL CHECK (slots_needed > 0),
    priority int NOT NULL,
    seq bigint NOT NULL UNIQUE DEFAULT nextval('reservation_seq'),
    state text NOT NULL CHECK (state IN ('queued', 'preparing', 'active', 'stopping', 'ended')),
    end_reason text CHECK (end_reason IN ('expired', 'cancelled', 'failed', 'preempted', 'completed')),
    generation bigint NOT NULL DEFAULT 1,
    attempt int NOT NULL DEFAULT 1 CHECK (attempt > 0),
    granted interval NOT NULL CHECK (granted > interval '0'),
    created_at timestamptz NOT NULL DEFAULT gpudev_now(),
    state_since timestamptz NOT NULL DEFAULT gpudev_now(),
    state_deadline timestamptz,
    queue_deadline timestamptz NOT NULL,
    started_at timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    cancel_requested_at timestamptz,
    ending_notice_served double precision,
    ending_notice_gaps bigint,
    detail text NOT NULL DEFAULT '',
    end_detail text NOT NULL DEFAULT '',
    needs_attention text,
    backend text,
    node text,
    endpoint text,
    files_digest text,
    launch_intended_at timestamptz,
    tombstoned_at timestamptz,
    down_since timestamptz,
    gone_at timestamptz,
    detached_at timestamptz,
    disk_id uuid REFERENCES disk,
    volume_id uuid REFERENCES volume,
    end_snapshot_id uuid REFERENCES snapshot,
    snapshot_skipped text,
    disk_released_at timestamptz,
    failures int NOT NULL DEFAULT 0,
    -- Not before this does the planner try again, after an attempt that found no room.
    retry_at timestamptz,
    wake_at timestamptz,
    lease_holder text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    UNIQUE (owner_id, idempotency_key),
    CHECK (state NOT IN ('preparing', 'active') OR (backend IS NOT NULL AND node IS NOT NULL)),
    CHECK (state <> 'active' OR (started_at IS NOT NULL AND expires_at IS NOT NULL)),
    -- In seconds, so that no session's time zone has a say in how long a day is.
    CHECK (expires_at IS NULL OR extract(epoch FROM expires_at - started_at) = extract(epoch FROM granted)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK (state <> 'ended' OR end_reason IS NOT NULL),
    CHECK (state IN ('stopping', 'ended') OR end_reason IS NULL),
    CHECK (state = 'ended' OR state_deadline IS NOT NULL)
);
CREATE UNIQUE INDEX reservation_name ON reservation (owner_id, name) WHERE state IN ('preparing', 'active');
CREATE INDEX reservation_line ON reservation (priority DESC, seq) WHERE state = 'queued';
CREATE INDEX reservation_live ON reservation (owner_id) WHERE state <> 'ended';
CREATE INDEX reservation_owner ON reservation (owner_id, id DESC);
CREATE INDEX reservation_wake ON reservation (wake_at) WHERE state <> 'ended';
CREATE INDEX reservation_expiry ON reservation (expires_at) WHERE state = 'active';

CREATE TABLE gpu_slot (
    backend text NOT NULL,
    node text NOT NULL,
    gpu_type text NOT NULL,
    idx int NOT NULL,
    device text NOT NULL DEFAULT '',
    busy_outside text,
    -- Seen at the last look at the backend; a held slot that vanished stays until it is freed.
    present boolean NOT NULL DEFAULT true,
    reservation_id uuid REFERENCES reservation,
    PRIMARY KEY (backend, node, gpu_type, idx),
    FOREIGN KEY (backend, node) REFERENCES node
);
CREATE INDEX gpu_slot_holder ON gpu_slot (reservation_id) WHERE reservation_id IS NOT NULL;

CREATE TABLE disk_lease (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    disk_id uuid NOT NULL REFERENCES disk,
    reservation_id uuid NOT NULL REFERENCES reservation,
    attempt int NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT gpudev_now(),
    released_at timestamptz
);
CREATE UNIQUE INDEX one_writer ON disk_lease (disk_id) WHERE released_at IS NULL;
CREATE INDEX disk_lease_reservation ON disk_lease (reservation_id) WHERE released_at IS NULL;

-- Secret values: in no event, log, request or plan; erased when the reservation ends.
CREATE TABLE reservation_secret (
    reservation_id uuid NOT NULL REFERENCES reservation,
    name text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (reservation_id, name)
);

CREATE TABLE reservation_event (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reservation_id uuid NOT NULL REFERENCES reservation,
    generation bigint NOT NULL,
    what text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    detail text NOT NULL DEFAULT '',
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT gpudev_now(),
    UNIQUE (reservation_id, generation)
);
CREATE TRIGGER reservation_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reservation_event
    FOR EACH STATEMENT EXECUTE FUNCTION gpudev_append_only();

-- Once each for a reservation, threshold (seconds before the end; 0 is the ending notice) and end.
CREATE TABLE warning (
    reservation_id uuid NOT NULL REFERENCES reservation,
    threshold int NOT NULL CHECK (threshold >= 0),
    expires_at timestamptz NOT NULL,
    gaps bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT gpudev_now(),
    PRIMARY KEY (reservation_id, threshold, expires_at, gaps)
);

-- The planner's answer; never on reservation rows.
CREATE TABLE plan (
    reservation_id uuid PRIMARY KEY REFERENCES reservation,
    position int NOT NULL,
    starts_at timestamptz,
    backend text,
    node text,
    waiting_for text NOT NULL,
    made_at timestamptz NOT NULL
);
CREATE TABLE planner (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    -- Raised by whatever could change the plan; `planned` follows it.
    wanted bigint NOT NULL DEFAULT 1,
    planned bigint NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL DEFAULT gpudev_now(),
    -- The next moment at which a plan would come out otherwise by the clock alone.
    wake_at timestamptz
);
INSERT INTO planner DEFAULT VALUES;
