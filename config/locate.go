package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SearchPath lists the folders that are looked in, in order, when no file is
// named: KubeSphere's two, then the state of `make run`.
func SearchPath() []string {
	return []string{"/etc/kubesphere", ".", filepath.Join(".postern", "run")}
}

// fileNames are tried in each folder; JSON is YAML.
var fileNames = []string{"kubesphere.yaml", "kubesphere.yml", "kubesphere.json"}

// locate returns the first file there is; "" if there is none.
func locate(folders []string) string {
	for _, folder := range folders {
		for _, name := range fileNames {
			file := filepath.Join(folder, name)
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				return file // one that cannot be read is an error, not absent
			}
		}
	}
	return ""
}

// readFile reads at most one byte more than a configuration may have.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration: %w", err)
	}
	return data, nil
}

// homeKubeconfig is ~/.kube/config if it exists, else "".
func homeKubeconfig() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	file := filepath.Join(home, ".kube", "config")
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return ""
	}
	return file
}
