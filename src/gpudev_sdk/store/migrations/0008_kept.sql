-- What is still kept, found without reading what was removed long ago.

CREATE INDEX snapshot_kept ON snapshot (disk_id) WHERE state <> 'deleted';
CREATE INDEX volume_kept ON volume (disk_id) WHERE state <> 'deleted';
