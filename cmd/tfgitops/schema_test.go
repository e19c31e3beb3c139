package main

import (
	"bytes"
	"os"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

func TestSchemaCommand(t *testing.T) {
	t.Parallel()
	pin, err := v1alpha1.Schema(v1alpha1.KindPin)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"a kind", []string{"schema", "Pin"}, exitDone, string(pin), ""},
		{"in any case", []string{"schema", "pIN"}, exitDone, string(pin), ""},
		{"a slip", []string{"schema", "pni"}, exitFailed, "", "tfgitops: there is no kind \"pni\": the kinds are ControlRepo, Component, Cluster, Pin\n"},
		{"a near slip", []string{"schema", "pins"}, exitFailed, "", "tfgitops: there is no kind \"pins\" (did you mean Pin?): the kinds are ControlRepo, Component, Cluster, Pin\n"},
		{"no kind", []string{"schema"}, exitFailed, "", "tfgitops: 0 kinds are given and one is wanted: write `tfgitops schema KIND`, with controlrepo, component, cluster, pin\n"},
		{"two kinds", []string{"schema", "pin", "cluster"}, exitFailed, "", "tfgitops: 2 kinds are given and one is wanted: write `tfgitops schema KIND`, with controlrepo, component, cluster, pin\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, messages bytes.Buffer
			if code := run(t.Context(), c.args, deps{out: &out, err: &messages, getenv: os.Getenv}); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if out.String() != c.out || messages.String() != c.err {
				t.Errorf("stdout %q\nstderr %q", &out, &messages)
			}
		})
	}
}
