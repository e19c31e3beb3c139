package atomicfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// Durability says whether a file must survive a power cut, or can be made again.
type Durability bool

// The durabilities.
const (
	Synced   Durability = true
	Unsynced Durability = false
)

// Write replaces the file name below root, a slash-separated path, making its folder if need be. A new file is readable
// and writable as the umask allows; a replaced one keeps its mode. No link is followed out of root.
func Write(root *os.Root, name string, content []byte, durability Durability) error {
	mode := fs.FileMode(0o666)
	if info, err := root.Lstat(name); err == nil {
		if info.Mode().Perm()&0o200 == 0 {
			return &fs.PathError{Op: "write", Path: name, Err: fs.ErrPermission} // a rename would get around it
		}
		mode = info.Mode().Perm()
	}
	temporary := path.Join(path.Dir(name), "."+path.Base(name)+"."+rand.Text()[:8]+".tmp")
	err := writeTemporary(root, temporary, content, mode, durability)
	if errors.Is(err, fs.ErrNotExist) {
		if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return err
		}
		err = writeTemporary(root, temporary, content, mode, durability)
	}
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.Remove(temporary)
		return err
	}
	if durability == Synced {
		return syncFolder(root, path.Dir(name))
	}
	return nil
}

func writeTemporary(root *os.Root, name string, content []byte, mode fs.FileMode, durability Durability) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil && durability == Synced {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder makes a rename in the folder survive a power cut, where the file system can.
func syncFolder(root *os.Root, name string) error {
	folder, err := root.Open(name)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil // some file systems cannot sync a folder
	}
	return errors.Join(err, folder.Close())
}
