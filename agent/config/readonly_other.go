//go:build !unix

package config

import "io/fs"

var errReadOnlyDisk = fs.ErrPermission
