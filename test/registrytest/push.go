package registrytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// direct asks the registry inside, without the network.
func (s *Server) direct(method, target string, header http.Header, body []byte) *answer {
	a := newAnswer()
	u, err := url.Parse(target)
	if err != nil {
		a.WriteHeader(http.StatusBadRequest)
		return a
	}
	request := &http.Request{Method: method, URL: u, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	s.inner.ServeHTTP(a, request)
	return a
}

func (a *answer) expect(what string, status int) error {
	if a.status != status {
		return fmt.Errorf("%s: status %d: %s", what, a.status, strings.TrimSpace(a.body.String()))
	}
	return nil
}

// PushBlob stores content in a repository.
func (s *Server) PushBlob(repo string, mediaType types.MediaType, data []byte) (v1.Descriptor, error) {
	hash := v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(data))}
	target := fmt.Sprintf("/v2/%s/blobs/uploads/?digest=%s", repo, url.QueryEscape(hash.String()))
	err := s.direct(http.MethodPost, target, http.Header{}, data).expect("pushing a blob to "+repo, http.StatusCreated)
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(data)), Digest: hash}, err
}

// PushManifest stores a manifest, which is anything that JSON can hold, under a tag; an empty tag stores it by digest only.
func (s *Server) PushManifest(repo, tag string, mediaType types.MediaType, manifest any) (v1.Descriptor, error) {
	data, err := json.Marshal(manifest)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("pushing to %s: %w", repo, err)
	}
	hash := v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(data))}
	if tag == "" {
		tag = hash.String()
	}
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(data)), Digest: hash}, s.putManifest(repo, tag, mediaType, data)
}

func (s *Server) putManifest(repo, tag string, mediaType types.MediaType, data []byte) error {
	header := http.Header{"Content-Type": {string(mediaType)}}
	return s.direct(http.MethodPut, "/v2/"+repo+"/manifests/"+tag, header, data).expect("pushing "+repo+":"+tag, http.StatusCreated)
}

// Tag gives what a tag or digest names further tags, replacing what these were.
func (s *Server) Tag(repo, from string, tags ...string) error {
	got := s.direct(http.MethodGet, "/v2/"+repo+"/manifests/"+from, http.Header{}, nil)
	if err := got.expect("reading "+repo+":"+from, http.StatusOK); err != nil {
		return err
	}
	for _, tag := range tags {
		if err := s.putManifest(repo, tag, types.MediaType(got.header.Get("Content-Type")), got.body.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes a tag, or a manifest by its digest.
func (s *Server) Delete(repo, reference string) error {
	return s.direct(http.MethodDelete, "/v2/"+repo+"/manifests/"+reference, http.Header{}, nil).expect("deleting "+repo+":"+reference, http.StatusAccepted)
}

// DeleteBlob removes content and leaves the manifests that name it.
func (s *Server) DeleteBlob(repo, digest string) error {
	return s.direct(http.MethodDelete, "/v2/"+repo+"/blobs/"+digest, http.Header{}, nil).expect("deleting "+repo+"@"+digest, http.StatusAccepted)
}
