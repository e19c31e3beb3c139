// Package filecache keeps files that can be made again in one folder, at most so many bytes of them. It owns how they appear,
// are found again and go; what is in them, and whether it is right, its users check. It depends on nothing of tfgitops.
package filecache
