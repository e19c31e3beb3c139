package atomicfile

import (
	"os"
	"path"
)

// MakeFolder makes the folder name below root, which must not be there, with the files, by name: whoever looks sees all of
// them or no folder. It costs half of what writing each file whole does. What an interrupted call left is removed by the next.
func MakeFolder(root *os.Root, name string, files map[string][]byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return err
	}
	temporary := path.Join(path.Dir(name), "."+path.Base(name)+".tmp")
	if err := root.RemoveAll(temporary); err != nil {
		return err
	}
	err := fillFolder(root, temporary, files)
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.RemoveAll(temporary)
	}
	return err
}

func fillFolder(root *os.Root, name string, files map[string][]byte) error {
	if err := root.Mkdir(name, 0o777); err != nil {
		return err
	}
	folder, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	for file, content := range files {
		if err := writeTemporary(folder, file, content, 0o666, Unsynced); err != nil {
			return err
		}
	}
	return nil
}
