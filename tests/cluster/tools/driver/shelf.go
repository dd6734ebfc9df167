package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// record is what is known of a disk or a snapshot beside its bytes.
type record struct {
	Name   string    `json:"name"`
	Bytes  int64     `json:"bytes"`
	Source string    `json:"source,omitempty"`
	Made   time.Time `json:"made"`
}

// shelf is a folder of things (disks, or snapshots), each a folder named after it with its record and its bytes.
//
// Names are the ids, so that asking twice for a name finds the first. A thing appears by one rename when it is whole,
// and is renamed away before it is removed.
type shelf struct {
	folder string
}

var lawfulName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// open returns a shelf with what a killed driver left half made or half removed taken away.
func open(folder string) (shelf, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return shelf{}, err
	}
	halves, err := filepath.Glob(filepath.Join(folder, ".*"))
	for _, half := range halves {
		err = errors.Join(err, os.RemoveAll(half))
	}
	return shelf{folder}, err
}

func (s shelf) bytes(name string) string {
	return filepath.Join(s.folder, name, "bytes")
}

// find returns the record of a thing, or nil where there is none of that name.
func (s shelf) find(name string) (*record, error) {
	if !lawfulName.MatchString(name) {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(s.folder, name, "record.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var found record
	return &found, json.Unmarshal(text, &found)
}

// put makes a thing with a copy of a folder's bytes, or with none where from is empty.
func (s shelf) put(r record, from string) error {
	part := filepath.Join(s.folder, "."+r.Name)
	if err := errors.Join(os.RemoveAll(part), os.Mkdir(part, 0o755)); err != nil {
		return err
	}
	if err := fill(filepath.Join(part, "bytes"), from); err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(part, "record.json"), text, 0o644); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(s.folder, r.Name))
}

// fill copies a folder with owners, modes and times, sharing blocks where the file system can.
func fill(to, from string) error {
	if from == "" {
		return os.Mkdir(to, 0o755)
	}
	said, err := exec.Command("cp", "-a", "--reflink=auto", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copying %s: %w: %s", from, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// remove takes a thing away; one that is not there is taken away already.
func (s shelf) remove(name string) error {
	if !lawfulName.MatchString(name) {
		return nil
	}
	gone := filepath.Join(s.folder, ".gone-"+name)
	err := os.Rename(filepath.Join(s.folder, name), gone)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(gone)
}

// list returns every record, by name.
func (s shelf) list() ([]record, error) {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return nil, err
	}
	var all []record
	for _, entry := range entries {
		found, err := s.find(entry.Name())
		if err != nil {
			return nil, err
		}
		if found != nil {
			all = append(all, *found)
		}
	}
	return all, nil
}
