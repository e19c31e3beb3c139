package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// emptyTree is the id that Git gives to a tree without files.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// change is one commit of the demo's source. The nonce is in its message for one of them alone: it makes the commit's id
// begin with abc123, which is what people type in the documentation.
type change struct {
	message  string
	template string // what the chart's template ends with
	nonce    string
}

// changes are the commits of maintain-kubeusers in the demo, oldest first.
var changes = []change{
	{message: "Read the quota from the account's configuration\n\nBug: T400001\n"},
	{message: "Skip accounts without a home directory\n\nBug: T400002\n"},
	{message: "Create the home directory before the kubeconfig\n\nBug: T400003\nBug: T400002\n", nonce: "00974e43", template: homes},
}

// homes is how the newest chart gets at home directories: a reviewer should see this.
const homes = `          env:
            - {name: CREATE_HOMES, value: "true"}
          volumeMounts:
            - {name: home, mountPath: /data/project}
      volumes:
        - name: home
          hostPath: {path: /data/project}
`

// writeSource makes the bare repository dir with the commits and returns their ids, oldest first.
func writeSource(ctx context.Context, dir string) ([]string, error) {
	if _, err := git(ctx, "", nil, "init", "-q", "--bare", "-b", "main", dir); err != nil {
		return nil, err
	}
	if _, err := git(ctx, dir, []byte{}, "hash-object", "-w", "-t", "tree", "--stdin"); err != nil {
		return nil, err
	}
	var ids []string
	for i, c := range changes {
		parent := ""
		if i > 0 {
			parent = ids[i-1]
		}
		id, err := git(ctx, dir, commitObject(c, parent, i), "hash-object", "-w", "-t", "commit", "--stdin")
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	_, err := git(ctx, dir, nil, "update-ref", "refs/heads/main", ids[len(ids)-1])
	return ids, err
}

// firstCommit is the time of the first commit, in Unix seconds: 2026-11-02 10:00 UTC. The others follow a day apart.
const firstCommit = 1793613600

// commitObject is a commit as Git stores it; the same input gives the same id on every machine.
func commitObject(c change, parent string, index int) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "tree %s\n", emptyTree)
	if parent != "" {
		fmt.Fprintf(&out, "parent %s\n", parent)
	}
	who := fmt.Sprintf("Demo Developer <demo@example.org> %d +0000", firstCommit+index*86400)
	fmt.Fprintf(&out, "author %s\ncommitter %s\n\n%s", who, who, c.message)
	if c.nonce != "" {
		fmt.Fprintf(&out, "Demo-Nonce: %s\n", c.nonce)
	}
	return out.Bytes()
}

func git(ctx context.Context, dir string, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(stdin), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
