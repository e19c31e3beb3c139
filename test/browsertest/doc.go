// Package browsertest opens pages in headless Chromium. It depends on nothing of tfgitops, and is for tests alone.
package browsertest
