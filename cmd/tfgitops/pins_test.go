package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// TestPinScripts runs the sessions of testdata/pins: changes of pins in a control repo under Git, with a component whose
// source and registries are real. Each session starts in $WORK/repo, with
//
//	$C1 … $C6   the commits of the component's source, oldest first
//	$V1 … $V6   the chart versions that CI makes of them
//
// and with the commands
//
//	publish N beta|prod…   publishes the build of a commit in one or more registries
//	republish N beta       publishes it again: the same version, another digest
//	fault PATH STATUS      makes the registry answer so; "fault none" ends that
//	registry stop          ends the registry
func TestPinScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/pins",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         setupPins,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": publishCmd, "republish": publishCmd, "fault": faultCmd, "registry": registryCmd,
		},
	})
}

type worldKey struct{}

func setupPins(env *testscript.Env) error {
	w, err := newPinsWorld(env.WorkDir)
	if err != nil {
		return err
	}
	env.Defer(func() { _ = w.server.Close() })
	env.Values[worldKey{}] = w
	env.Vars = append(env.Vars, w.variables...)
	for i, commit := range w.commits {
		env.Setenv(fmt.Sprintf("C%d", i+1), commit)
		env.Setenv(fmt.Sprintf("V%d", i+1), versionOf(i+1, commit))
	}
	env.Cd = filepath.Join(env.WorkDir, "repo")
	return nil
}

func publishCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: publish N REGISTRY…")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(ts.Value(worldKey{}).(*pinsWorld).publish(n, args[1:]...))
}

func faultCmd(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(worldKey{}).(*pinsWorld).server
	if len(args) == 1 && args[0] == "none" {
		server.ClearFaults()
		return
	}
	if len(args) != 2 {
		ts.Fatalf("usage: fault PATH STATUS, or fault none")
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	server.Fail(registrytest.Fault{Path: args[0], Status: status})
}

func registryCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || args[0] != "stop" {
		ts.Fatalf("usage: registry stop")
	}
	ts.Check(ts.Value(worldKey{}).(*pinsWorld).server.Close())
}
