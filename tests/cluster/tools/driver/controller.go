package main

import (
	"context"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// store is everything on disk.
type store struct {
	disks     shelf
	snapshots shelf
	wishes    wishes
}

// controller makes and deletes disks and snapshots, one at a time: a copy is never of a disk being deleted.
type controller struct {
	csi.UnimplementedControllerServer
	store *store
	lock  sync.Mutex
}

var abilities = []csi.ControllerServiceCapability_RPC_Type{
	csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
	csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
	csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
	// Without it a claim that is ReadWriteOncePod would be told to the driver as ReadWriteOnce.
	csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
}

func (*controller) ControllerGetCapabilities(
	context.Context, *csi.ControllerGetCapabilitiesRequest,
) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, ability := range abilities {
		rpc := &csi.ControllerServiceCapability_RPC{Type: ability}
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: rpc},
		})
	}
	return answer, nil
}

func (c *controller) CreateVolume(
	_ context.Context, ask *csi.CreateVolumeRequest,
) (*csi.CreateVolumeResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()

	if err := refusal(ask.Name, ask.VolumeCapabilities); err != nil {
		return nil, err
	}
	wanted := record{
		Name: ask.Name, Bytes: max(ask.CapacityRange.GetRequiredBytes(), 1<<20),
		Source: ask.VolumeContentSource.GetSnapshot().GetSnapshotId(), Made: time.Now(),
	}
	if ask.VolumeContentSource != nil && wanted.Source == "" {
		return nil, status.Error(codes.InvalidArgument, "a disk is made empty or from a snapshot, not from another disk")
	}
	found, err := c.store.disks.find(ask.Name)
	if err == nil && found == nil {
		err = c.makeDisk(wanted)
	} else if err == nil && (found.Bytes != wanted.Bytes || found.Source != wanted.Source) {
		err = status.Errorf(codes.AlreadyExists, "there is another disk %s", ask.Name)
	}
	if err != nil {
		return nil, err
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: wanted.Name, CapacityBytes: wanted.Bytes, ContentSource: ask.VolumeContentSource,
	}}, nil
}

func (c *controller) makeDisk(wanted record) error {
	if message := c.store.wishes.of(wanted.Name).DiskError; message != "" {
		return status.Error(codes.ResourceExhausted, message)
	}
	if wanted.Source == "" {
		return c.store.disks.put(wanted, "")
	}
	snapshot, err := c.store.snapshots.find(wanted.Source)
	switch {
	case err != nil:
		return err
	case snapshot == nil:
		return status.Errorf(codes.NotFound, "there is no snapshot %s", wanted.Source)
	case !c.store.wishes.of(snapshot.Source).ready(snapshot.Made):
		return status.Errorf(codes.Unavailable, "the snapshot %s is not ready", wanted.Source)
	case wanted.Bytes < snapshot.Bytes:
		return status.Errorf(codes.OutOfRange, "the snapshot %s needs %d bytes", wanted.Source, snapshot.Bytes)
	}
	return c.store.disks.put(wanted, c.store.snapshots.bytes(wanted.Source))
}

func (c *controller) DeleteVolume(
	_ context.Context, ask *csi.DeleteVolumeRequest,
) (*csi.DeleteVolumeResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()

	if message := c.store.wishes.of(ask.VolumeId).DeleteError; message != "" {
		return nil, status.Error(codes.Internal, message)
	}
	mounts, err := mountsBelow(c.store.disks.bytes(ask.VolumeId))
	if err != nil {
		return nil, err
	} else if mounts > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "the disk %s is mounted", ask.VolumeId)
	}
	return &csi.DeleteVolumeResponse{}, c.store.disks.remove(ask.VolumeId)
}

func (c *controller) ValidateVolumeCapabilities(
	_ context.Context, ask *csi.ValidateVolumeCapabilitiesRequest,
) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	found, err := c.store.disks.find(ask.VolumeId)
	if err != nil {
		return nil, err
	} else if found == nil {
		return nil, status.Errorf(codes.NotFound, "there is no disk %s", ask.VolumeId)
	}
	if err := refusal(ask.VolumeId, ask.VolumeCapabilities); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: err.Error()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: ask.VolumeCapabilities},
	}, nil
}

// refusal says why a disk cannot be used as asked, or nil.
func refusal(name string, wanted []*csi.VolumeCapability) error {
	if !lawfulName.MatchString(name) {
		return status.Errorf(codes.InvalidArgument, "not a name of a disk: %q", name)
	}
	for _, capability := range wanted {
		if capability.GetMount() == nil {
			return status.Error(codes.InvalidArgument, "a disk is mounted as a file system, not used as a block device")
		}
		switch capability.AccessMode.GetMode() {
		case csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
			csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY,
			csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER,
			csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER:
		default:
			return status.Errorf(codes.InvalidArgument, "a disk is of one node, not %s", capability.AccessMode.GetMode())
		}
	}
	return nil
}
