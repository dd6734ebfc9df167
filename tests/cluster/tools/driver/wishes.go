package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"
)

// wish is what a test wants to go wrong. It is read anew each time, so taking the file away puts things right.
type wish struct {
	// ReadyAfter is how many seconds after its making a snapshot is ready; below zero it never is.
	ReadyAfter float64 `json:"ready_after"`
	// The others are messages of errors: of making a snapshot, making a disk, and deleting either.
	SnapshotError string `json:"snapshot_error"`
	DiskError     string `json:"disk_error"`
	DeleteError   string `json:"delete_error"`
}

// wishes is the folder of them: <disk>.json is about one disk and its snapshots, all.json about all without their own.
type wishes struct {
	folder string
}

func (w wishes) of(disk string) wish {
	for _, name := range []string{disk, "all"} {
		text, err := os.ReadFile(filepath.Join(w.folder, name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var found wish
		if err := errors.Join(err, json.Unmarshal(text, &found)); err != nil {
			log.Printf("a wish that cannot be read: %s", err)
		}
		return found
	}
	return wish{}
}

func (w wish) ready(made time.Time) bool {
	return w.ReadyAfter >= 0 && time.Since(made) >= time.Duration(w.ReadyAfter*float64(time.Second))
}
