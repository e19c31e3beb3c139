package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// keyOptions are options with an environment, and what is said to a person.
func keyOptions(env map[string]string) (*options, *bytes.Buffer) {
	said := &bytes.Buffer{}
	return &options{deps: deps{err: said, getenv: func(name string) string { return env[name] }}}, said
}

// TestSecretKeyLasts holds that a machine makes one key, whoever is first, and that nobody else can read it.
func TestSecretKeyLasts(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	var lock sync.Mutex
	keys := map[string]bool{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			o, _ := keyOptions(map[string]string{"HOME": home})
			key, lasts, err := o.secretKey()
			if err != nil || !lasts || len(key) != 32 {
				t.Errorf("a key of %d bytes that lasts: %v, %v", len(key), lasts, err)
			}
			lock.Lock()
			defer lock.Unlock()
			keys[string(key)] = true
		})
	}
	group.Wait()
	if len(keys) != 1 {
		t.Errorf("%d keys were made", len(keys))
	}
	file := filepath.Join(home, ".local", "state", "tfgitops", "key")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".key-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSecretKeyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	o, _ := keyOptions(map[string]string{keyVariable: "given", "XDG_STATE_HOME": state})
	if key, lasts, err := o.secretKey(); string(key) != "given" || !lasts || err != nil {
		t.Errorf("got %q, %v, %v", key, lasts, err)
	}
	if entries, err := os.ReadDir(state); err != nil || len(entries) > 0 {
		t.Errorf("a key was made beside the given one: %v, %v", entries, err)
	}
}

// TestSecretKeyThatCannotLast holds that each run then has its own, that a person is told, and that nothing is kept.
func TestSecretKeyThatCannotLast(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(t *testing.T, file string)
		said    string
	}{
		"others can read it": {func(t *testing.T, file string) { writeKey(t, file, 32, 0o644) }, "its owner alone can read"},
		"cut short":          {func(t *testing.T, file string) { writeKey(t, file, 31, 0o600) }, "its owner alone can read"},
		"a link": {func(t *testing.T, file string) {
			writeKey(t, file+"-elsewhere", 32, 0o600)
			if err := os.Symlink(file+"-elsewhere", file); err != nil {
				t.Fatal(err)
			}
		}, "its owner alone can read"},
		"no folder": {func(t *testing.T, file string) {
			if err := os.WriteFile(filepath.Dir(file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := t.TempDir()
			test.prepare(t, filepath.Join(state, "tfgitops", "key"))
			var keys [2]string
			for i := range keys {
				o, said := keyOptions(map[string]string{"XDG_STATE_HOME": state})
				key, lasts, err := o.secretKey()
				if err != nil || lasts || len(key) != 32 {
					t.Errorf("a key of %d bytes that lasts: %v, %v", len(key), lasts, err)
				}
				if !strings.Contains(said.String(), test.said) {
					t.Errorf("said %q", said)
				}
				if renders, err := o.renders(key, lasts); renders != nil || err != nil {
					t.Errorf("renders are kept: %v", err)
				}
				keys[i] = string(key)
			}
			if keys[0] == keys[1] {
				t.Error("two runs have one key")
			}
		})
	}
}

// TestSecretKeyWithoutHome holds that no key is put into the current folder.
func TestSecretKeyWithoutHome(t *testing.T) {
	t.Parallel()
	o, said := keyOptions(nil)
	if _, lasts, err := o.secretKey(); lasts || err != nil || said.Len() > 0 {
		t.Errorf("got %v, %v, said %q", lasts, err, said)
	}
}

func writeKey(t *testing.T, file string, size int, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, size), mode); err != nil {
		t.Fatal(err)
	}
}
