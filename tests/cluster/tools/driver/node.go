package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// nodeServer mounts disks where the kubelet wants them.
type nodeServer struct {
	csi.UnimplementedNodeServer
	name  string
	disks shelf
}

func (n *nodeServer) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.name}, nil
}

func (*nodeServer) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	rpc := &csi.NodeServiceCapability_RPC{Type: csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER}
	capability := &csi.NodeServiceCapability{Type: &csi.NodeServiceCapability_Rpc{Rpc: rpc}}
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{capability}}, nil
}

func (n *nodeServer) NodePublishVolume(
	_ context.Context, ask *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	// A cloud may call a disk projects/P/zones/Z/disks/NAME.
	name := path.Base(ask.VolumeId)
	found, err := n.disks.find(name)
	if err != nil {
		return nil, err
	} else if found == nil {
		return nil, status.Errorf(codes.NotFound, "there is no disk %s", ask.VolumeId)
	}
	there, err := mounted(ask.TargetPath)
	if err != nil || there {
		return &csi.NodePublishVolumeResponse{}, err
	}
	if err := os.MkdirAll(ask.TargetPath, 0o755); err != nil {
		return nil, err
	}
	if err := unix.Mount(n.disks.bytes(name), ask.TargetPath, "", unix.MS_BIND, ""); err != nil {
		return nil, status.Errorf(codes.Internal, "mounting %s: %s", ask.VolumeId, err)
	}
	if ask.Readonly {
		err = unix.Mount("", ask.TargetPath, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	return &csi.NodePublishVolumeResponse{}, err
}

func (*nodeServer) NodeUnpublishVolume(
	_ context.Context, ask *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	for {
		there, err := mounted(ask.TargetPath)
		if err != nil {
			return nil, err
		} else if !there {
			break
		}
		if err := unix.Unmount(ask.TargetPath, 0); err != nil {
			return nil, status.Errorf(codes.Internal, "unmounting %s: %s", ask.TargetPath, err)
		}
	}
	// Remove and not RemoveAll: were it mounted after all, the person's bytes would go.
	if err := os.Remove(ask.TargetPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// mounts returns a column of the kernel's list of mounts: 3 is what is mounted, 4 is where.
func mounts(column int) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > column {
			found = append(found, fields[column])
		}
	}
	return found, nil
}

func mounted(target string) (bool, error) {
	places, err := mounts(4)
	for _, place := range places {
		if place == filepath.Clean(target) {
			return true, err
		}
	}
	return false, err
}

// mountsBelow counts the mounts of a folder. Its path ends as the one in the list, which begins at the file system's root.
func mountsBelow(folder string) (int, error) {
	count := 0
	sources, err := mounts(3)
	for _, source := range sources {
		if source != "/" && strings.HasSuffix(folder, source) {
			count++
		}
	}
	return count, err
}
