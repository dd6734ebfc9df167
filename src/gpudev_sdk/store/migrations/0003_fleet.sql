-- What there is: types, nodes, slots, and who controls each backend.

CREATE TABLE backend_claim (
    backend text PRIMARY KEY,
    control_plane_id uuid NOT NULL,
    epoch bigint NOT NULL CHECK (epoch > 0),
    raised_at timestamptz NOT NULL DEFAULT gpudev_now(),
    -- Why nothing may be done on this backend until `admin adopt`; NULL is the ordinary state.
    paused text
);

CREATE TABLE gpu_type (
    backend text NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    PRIMARY KEY (backend, name)
);

CREATE TABLE node (
    backend text NOT NULL,
    name text NOT NULL,
    zone text NOT NULL,
    schedulable boolean NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (backend, name)
);

-- When each backend was last seen whole.
CREATE TABLE inventory (
    backend text PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    trouble text
);

CREATE TABLE served (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    seconds double precision NOT NULL DEFAULT 0,
    -- Counted up when a sweep came too late to have served the time between.
    gaps bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT gpudev_now()
);
INSERT INTO served DEFAULT VALUES;
