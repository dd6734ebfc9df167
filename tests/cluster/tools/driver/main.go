// A CSI driver for tests: disks and snapshots are folders of this machine, and a disk is mounted by a bind mount.
//
// What it stands for is a driver of network disks (any node may ask for any disk), so it knows no topology. It keeps
// every state on disk and nothing in memory: a restart is noticed by nobody.
package main

import (
	"errors"
	"flag"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func main() {
	name := flag.String("name", "disk.gpudev.test", "who the driver is: the name of a cloud's, where a test stands in for that")
	folder := flag.String("folder", "", "where disks, snapshots and the wishes of tests lie")
	socket := flag.String("socket", "", "where sidecars and the kubelet find the driver")
	registry := flag.String("registration", "", "the socket in the kubelet's plugins_registry")
	node := flag.String("node", "", "the name of this node")
	flag.Parse()

	disks, err := open(filepath.Join(*folder, "disks"))
	check(err)
	snapshots, err := open(filepath.Join(*folder, "snapshots"))
	check(err)
	store := &store{disks: disks, snapshots: snapshots, wishes: wishes{filepath.Join(*folder, "wishes")}}

	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, &identity{name: *name})
	csi.RegisterControllerServer(server, &controller{store: store})
	csi.RegisterNodeServer(server, &nodeServer{name: *node, disks: disks})
	go serve(server, *socket)

	registrar := grpc.NewServer()
	registration.RegisterRegistrationServer(registrar, &registrant{name: *name, socket: *socket})
	serve(registrar, *registry)
}

// serve answers on a socket until the process ends; what a killed driver left there is replaced.
func serve(server *grpc.Server, socket string) {
	check(os.MkdirAll(filepath.Dir(socket), 0o750))
	if err := os.Remove(socket); !errors.Is(err, fs.ErrNotExist) {
		check(err)
	}
	listener, err := net.Listen("unix", socket)
	check(err)
	check(server.Serve(listener))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
