package artifact

// How the Client uses its Cache. Without one, everything is a miss; a cache that cannot be written is a warning only.

func (c *Client) cachedBlob(digest string) ([]byte, bool) {
	if c.options.Cache == nil {
		return nil, false
	}
	return c.options.Cache.Get(digest)
}

func (c *Client) cacheBlob(digest string, data []byte) {
	if c.options.Cache == nil {
		return
	}
	if err := c.options.Cache.Put(digest, data); err != nil {
		c.options.Warn(err)
	}
}

func (c *Client) cachedRef(repo Repository, ref ChartRef) (digest string, ok bool) {
	if c.options.Cache == nil {
		return "", false
	}
	return c.options.Cache.Ref(repo.Ref(ref.Name, ref.Version))
}

func (c *Client) cacheRef(repo Repository, ref ChartRef, digest string) {
	if c.options.Cache == nil || ref.Digest != "" {
		return
	}
	if err := c.options.Cache.PutRef(repo.Ref(ref.Name, ref.Version), digest); err != nil {
		c.options.Warn(err)
	}
}

// cachedChart answers without a request: by digest always, by tag only offline, since a tag may have moved.
func (c *Client) cachedChart(repo Repository, ref ChartRef) *Chart {
	digest := ref.Digest
	if digest == "" && c.options.Offline {
		digest, _ = c.cachedRef(repo, ref)
	}
	if digest == "" {
		return nil
	}
	data, ok := c.cachedBlob(digest)
	if !ok {
		return nil
	}
	chart, err := c.assemble(repo, ref, digest, data)
	if err != nil {
		return nil
	}
	return chart
}

// assemble makes a chart of cached content: an archive, or a manifest that names one. It is nil where the archive is gone.
func (c *Client) assemble(repo Repository, ref ChartRef, digest string, data []byte) (*Chart, error) {
	const op = "reading a chart from the cache"
	at := repo.Ref(ref.Name, ref.Version)
	if !repo.IsOCI() {
		return newChart(op, at, digest, nil, data)
	}
	layer, annotations, err := chartLayer(data)
	if err != nil {
		return nil, err
	}
	archive, ok := c.cachedBlob(layer.Digest.String())
	if !ok {
		return nil, nil
	}
	return newChart(op, at, digest, annotations, archive)
}
