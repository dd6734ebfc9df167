// runc with what this machine's root may not do left out of what containers ask for.
//
// A privileged pod asks for every capability, for limits and for an OOM score; in a container or a small virtual
// machine root may lack the capability to give them, and runc then fails. containerd runs this as its runtime, for each
// container and each exec, so it is small: it edits the one file that runc is about to read, and becomes runc.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// capabilities, in the kernel's order: a name's place is its bit.
var capabilities = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
	LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
	SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
	AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
	CHECKPOINT_RESTORE`)

// limits that containers ask for, and their numbers.
var limits = map[string]int{
	"RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
	"RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
	"RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
}

type object = map[string]any

func main() {
	log.SetFlags(0)
	log.SetPrefix("runc wrapper: ")
	if bundle := option("--bundle", "-b"); bundle != "" {
		edit(filepath.Join(bundle, "config.json"), func(config object) object {
			process, _ := config["process"].(object)
			return process
		})
	}
	if process := option("--process", "-p"); process != "" {
		edit(process, func(config object) object { return config })
	}
	self, err := os.Executable()
	check(err)
	runc := filepath.Join(filepath.Dir(self), "runc")
	check(syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ()))
}

// option returns the value of an option on the command line, or nothing.
func option(names ...string) string {
	for place, argument := range os.Args[1:] {
		name, value, joined := strings.Cut(argument, "=")
		if !slices.Contains(names, name) {
			continue
		}
		if joined {
			return value
		}
		if place+2 < len(os.Args) {
			return os.Args[place+2]
		}
	}
	return ""
}

// edit rewrites a file with the process in it made harmless; numbers stay as they were written.
func edit(path string, find func(object) object) {
	text, err := os.ReadFile(path)
	check(err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var config object
	check(decoder.Decode(&config))
	process := find(config)
	if process == nil {
		return
	}
	capabilitiesOf(process)
	scoreOf(process)
	limitsOf(process)
	text, err = json.Marshal(config)
	check(err)
	check(os.WriteFile(path, text, 0o600))
}

func capabilitiesOf(process object) {
	bounding, err := strconv.ParseUint(status("CapBnd:"), 16, 64)
	check(err)
	sets, _ := process["capabilities"].(object)
	for name, set := range sets {
		wanted, _ := set.([]any)
		sets[name] = slices.DeleteFunc(wanted, func(capability any) bool {
			text, _ := capability.(string)
			bit := slices.Index(capabilities, strings.TrimPrefix(text, "CAP_"))
			return bit >= 0 && bounding&(1<<bit) == 0
		})
	}
}

// scoreOf keeps the OOM score at or above ours: to lower it is what needs a capability.
func scoreOf(process object) {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	check(err)
	own, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	check(err)
	wanted, asked := process["oomScoreAdj"].(json.Number)
	if score, err := wanted.Int64(); asked && err == nil && score < own {
		process["oomScoreAdj"] = own
	}
}

func limitsOf(process object) {
	wanted, _ := process["rlimits"].([]any)
	for _, item := range wanted {
		limit, _ := item.(object)
		name, _ := limit["type"].(string)
		number, known := limits[name]
		var own syscall.Rlimit
		if !known || syscall.Getrlimit(number, &own) != nil {
			continue
		}
		for _, side := range []string{"hard", "soft"} {
			asked, _ := limit[side].(json.Number)
			if value, err := strconv.ParseUint(asked.String(), 10, 64); err == nil && value > own.Max {
				limit[side] = own.Max
			}
		}
	}
}

// status returns a line of what the kernel says of this process.
func status(name string) string {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	_, rest, _ := strings.Cut(string(text), name)
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
