package chart

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// chance draws what only looks random. Every draw depends on the seed, the
// function, its arguments and how often it was called with them before; so two
// passwords differ, and a new draw in a chart changes no other.
type chance struct {
	seed  []byte
	calls map[string]int
}

// draw returns the source for one call of a function.
func (c *chance) draw(function string, args ...any) *rand.ChaCha8 {
	call := fmt.Sprintf("%s %q", function, args)
	mac := hmac.New(sha256.New, c.seed)
	fmt.Fprintf(mac, "%s %d", call, c.calls[call])
	c.calls[call]++
	return rand.NewChaCha8([32]byte(mac.Sum(nil)))
}

// bytes draws n bytes.
func (c *chance) bytes(n int, function string, args ...any) []byte {
	out := make([]byte, max(n, 0))
	_, _ = c.draw(function, args...).Read(out) // a generator never fails
	return out
}

const (
	digits    = "0123456789"
	letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	printable = " !\"#$%&'()*+,-./" + digits + ":;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	// bcryptAlphabet is the base64 alphabet of bcrypt hashes.
	bcryptAlphabet = "./" + letters + digits
)

// text draws n characters of an alphabet.
func (c *chance) text(n int, alphabet, function string, args ...any) string {
	source := rand.New(c.draw(function, append(args, n)...))
	out := make([]byte, max(n, 0))
	for i := range out {
		out[i] = alphabet[source.IntN(len(alphabet))]
	}
	return string(out)
}

func (c *chance) functions() template.FuncMap {
	return template.FuncMap{
		"randAlphaNum": func(n int) string { return c.text(n, letters+digits, "randAlphaNum") },
		"randAlpha":    func(n int) string { return c.text(n, letters, "randAlpha") },
		"randNumeric":  func(n int) string { return c.text(n, digits, "randNumeric") },
		"randAscii":    func(n int) string { return c.text(n, printable, "randAscii") },
		"randBytes": func(n int) string {
			return base64.StdEncoding.EncodeToString(c.bytes(n, "randBytes", n))
		},
		"randInt":    c.randInt,
		"shuffle":    c.shuffle,
		"uuidv4":     c.uuid,
		"bcrypt":     c.bcrypt,
		"htpasswd":   c.htpasswd,
		"encryptAES": c.encryptAES,
		"keys":       sortedKeys,
		"values":     sortedValues,
	}
}

func (c *chance) randInt(low, high int) (int, error) {
	if high <= low {
		return 0, fmt.Errorf("randInt %d %d: the second has to be the greater", low, high)
	}
	return low + rand.New(c.draw("randInt", low, high)).IntN(high-low), nil
}

func (c *chance) shuffle(text string) string {
	runes := []rune(text)
	rand.New(c.draw("shuffle", text)).Shuffle(len(runes), func(i, j int) {
		runes[i], runes[j] = runes[j], runes[i]
	})
	return string(runes)
}

func (c *chance) uuid() string {
	b := c.bytes(16, "uuidv4")
	b[6] = b[6]&0x0f | 0x40 // version 4
	b[8] = b[8]&0x3f | 0x80 // RFC 9562's variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// bcrypt has the form of a hash and changes with the password, but cannot be
// checked against it.
func (c *chance) bcrypt(password string) string {
	return "$2a$10$" + c.text(53, bcryptAlphabet, "bcrypt", password)
}

func (c *chance) htpasswd(user, password string) string {
	if strings.Contains(user, ":") {
		return "invalid username: " + user
	}
	return user + ":" + c.bcrypt(password)
}

// encryptAES is sprig's, AES-256-CBC with a drawn vector in front, so that
// decryptAES can read it.
func (c *chance) encryptAES(password, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	key := make([]byte, 32)
	copy(key, password)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", errors.New("encryptAES: no cipher")
	}
	padding := aes.BlockSize - len(text)%aes.BlockSize
	padded := append([]byte(text), bytes.Repeat([]byte{byte(padding)}, padding)...)
	vector := c.bytes(aes.BlockSize, "encryptAES", password, text)
	cipher.NewCBCEncrypter(block, vector).CryptBlocks(padded, padded) //nolint:gosec // a placeholder that must be the same each time, never a secret
	return base64.StdEncoding.EncodeToString(append(vector, padded...)), nil
}

func sortedKeys(dicts ...map[string]any) []string {
	keys := []string{}
	for _, dict := range dicts {
		keys = append(keys, slices.Sorted(maps.Keys(dict))...)
	}
	return keys
}

func sortedValues(dict map[string]any) []any {
	values := []any{}
	for _, key := range sortedKeys(dict) {
		values = append(values, dict[key])
	}
	return values
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
