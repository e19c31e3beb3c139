package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

// keyVariable is where a CI keeps one key for all its jobs: a protected variable, of 32 random characters or more.
const keyVariable = "TFGITOPS_FINGERPRINT_KEY"

// secretKey keys what must not be guessed: the fingerprints of secrets, and what charts draw at random. It also seals kept
// renders, if it lasts. Without a key of the environment's it is this machine's own, made on first use and kept outside the
// cache: a cache is what CI jobs share, and whoever may write to it must not be able to forge what a reviewer reads.
func (o *options) secretKey() (key []byte, lasts bool, err error) {
	if key := o.getenv(keyVariable); key != "" {
		return []byte(key), true, nil
	}
	file := o.keyFile()
	if file == "" {
		key, err = newKey()
		return key, false, err
	}
	if key, err = readKey(file); errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(file)
	}
	if err == nil {
		return key, true, nil
	}
	fmt.Fprintf(o.err, "warning: secrets have fingerprints of this run alone, and no renders are kept: %v\n", err)
	key, err = newKey()
	return key, false, err
}

// keyFile is empty where this user has no place for it.
func (o *options) keyFile() string {
	if dir := o.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tfgitops", "key")
	}
	if home := o.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "tfgitops", "key")
	}
	return ""
}

func newKey() ([]byte, error) {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// readKey reads a key that nobody else could read or exchange.
func readKey(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || info.Size() != sha256.Size {
		return nil, fmt.Errorf("%q is no file of %d bytes that its owner alone can read: remove it, and the next run makes one", file, sha256.Size)
	}
	return os.ReadFile(file)
}

// makeKey makes the file, unless another process was first: then it reads what that one made.
func makeKey(file string) ([]byte, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(key)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKey(file)
}

// renders keeps what charts expand to; nil where nothing lasts that could seal it.
func (o *options) renders(key []byte, lasts bool) (*chart.Renders, error) {
	program, err := program()
	if !lasts || err != nil {
		return nil, err
	}
	return chart.NewRenders(filepath.Join(o.cacheDir(), "renders"), chart.DefaultRendersSize, key, program, o.now)
}

// program names this very build: two builds of one version may render differently, and a version may say nothing.
func program() (string, error) {
	file, err := os.Executable()
	if err == nil {
		file, err = filepath.EvalSymlinks(file)
	}
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	return fmt.Sprintf("tfgitops %s %s %d %d", version(), file, info.Size(), info.ModTime().UnixNano()), nil
}
