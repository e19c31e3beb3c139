package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine says in a sentence what this ran on, and when. What the system does not tell is left out.
func machine() string {
	parts := []string{
		fmt.Sprintf("Measured on %s: %d cores", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU()),
		field("/proc/cpuinfo", "model name"),
		memory(field("/proc/meminfo", "MemTotal")),
		strings.TrimSpace("Linux " + firstLine("/proc/sys/kernel/osrelease")),
		runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		load(firstLine("/proc/loadavg")),
	}
	var known []string
	for _, part := range parts {
		if part != "" {
			known = append(known, part)
		}
	}
	return strings.Join(known, ", ") + "."
}

// field returns the value of the first line "name : value" of a file.
func field(file, name string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func memory(total string) string {
	var kib int64
	if _, err := fmt.Sscanf(total, "%d kB", &kib); err != nil {
		return ""
	}
	return fmt.Sprintf("%d GiB of memory", (kib+1<<19)>>20)
}

// load says how busy the machine was meanwhile: with more to do than cores, times say less than what they are compared with.
func load(averages string) string {
	_, rest, found := strings.Cut(averages, " ")
	if !found {
		return ""
	}
	five, _, _ := strings.Cut(rest, " ")
	return "load " + five + " in the last five minutes"
}

func firstLine(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}

// programs says which versions were measured, as Go recorded them in the files.
func programs(files ...string) string {
	var known []string
	for _, file := range files {
		version := "of an unknown version"
		if info, err := buildinfo.ReadFile(file); err == nil && info.Main.Version != "" {
			version = info.Main.Version
		}
		known = append(known, filepath.Base(file)+" "+version)
	}
	return "Of " + strings.Join(known, " and ") + "."
}
