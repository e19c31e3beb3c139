// Package markdown puts a stranger's text into Markdown for a forge: always in code, where GitLab looks for no mentions,
// references, quick actions or HTML, and with what is not seen written out.
//
// It depends on the standard library only.
package markdown
