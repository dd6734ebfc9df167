package main

import (
	"context"
	"strconv"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (c *controller) CreateSnapshot(
	_ context.Context, ask *csi.CreateSnapshotRequest,
) (*csi.CreateSnapshotResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()

	if !lawfulName.MatchString(ask.Name) {
		return nil, status.Errorf(codes.InvalidArgument, "not a name of a snapshot: %q", ask.Name)
	}
	found, err := c.store.snapshots.find(ask.Name)
	if err == nil && found == nil {
		found, err = c.cut(ask.Name, ask.SourceVolumeId)
	} else if err == nil && found.Source != ask.SourceVolumeId {
		err = status.Errorf(codes.AlreadyExists, "the snapshot %s is of another disk", ask.Name)
	}
	if err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: c.told(*found)}, nil
}

// cut takes a snapshot's bytes now; what a wish delays is only that it is said to be ready.
func (c *controller) cut(name, source string) (*record, error) {
	disk, err := c.store.disks.find(source)
	if err != nil {
		return nil, err
	} else if disk == nil {
		return nil, status.Errorf(codes.NotFound, "there is no disk %s", source)
	}
	if message := c.store.wishes.of(source).SnapshotError; message != "" {
		return nil, status.Error(codes.Internal, message)
	}
	made := record{Name: name, Bytes: disk.Bytes, Source: source, Made: time.Now()}
	return &made, c.store.snapshots.put(made, c.store.disks.bytes(source))
}

func (c *controller) told(r record) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId: r.Name, SourceVolumeId: r.Source, SizeBytes: r.Bytes, CreationTime: timestamppb.New(r.Made),
		ReadyToUse: c.store.wishes.of(r.Source).ready(r.Made),
	}
}

func (c *controller) DeleteSnapshot(
	_ context.Context, ask *csi.DeleteSnapshotRequest,
) (*csi.DeleteSnapshotResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()

	found, err := c.store.snapshots.find(ask.SnapshotId)
	if err != nil {
		return nil, err
	}
	if found != nil {
		if message := c.store.wishes.of(found.Source).DeleteError; message != "" {
			return nil, status.Error(codes.Internal, message)
		}
	}
	return &csi.DeleteSnapshotResponse{}, c.store.snapshots.remove(ask.SnapshotId)
}

func (c *controller) ListSnapshots(
	_ context.Context, ask *csi.ListSnapshotsRequest,
) (*csi.ListSnapshotsResponse, error) {
	all, err := c.store.snapshots.list()
	if err != nil {
		return nil, err
	}
	answer := &csi.ListSnapshotsResponse{}
	for _, r := range all {
		wanted := ask.SnapshotId == "" || ask.SnapshotId == r.Name
		if wanted && (ask.SourceVolumeId == "" || ask.SourceVolumeId == r.Source) {
			answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: c.told(r)})
		}
	}
	return page(answer, ask.StartingToken, int(ask.MaxEntries))
}

// page leaves the entries from a token on, as many as were asked for; a token is a place in the list.
func page(all *csi.ListSnapshotsResponse, token string, most int) (*csi.ListSnapshotsResponse, error) {
	start := 0
	if token != "" {
		var err error
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(all.Entries) {
			return nil, status.Errorf(codes.Aborted, "not a token of this list: %q", token)
		}
	}
	end := len(all.Entries)
	if most > 0 && start+most < end {
		end = start + most
		all.NextToken = strconv.Itoa(end)
	}
	all.Entries = all.Entries[start:end]
	return all, nil
}
