package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// certificate is one of the bench's own.
type certificate struct {
	host      string // whose it is
	file, key string
	// trusted is the configuration of a client that trusts it alone.
	trusted *tls.Config
}

func (b *bench) newCertificate() (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	const host = "localhost"
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, // it signs itself
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(public)
	if err != nil {
		return nil, err
	}
	c := &certificate{host: host, file: filepath.Join(b.dir, "tls.crt"), key: filepath.Join(b.dir, "tls.key")}
	c.trusted = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: host, NextProtos: []string{"http/1.1"}}
	c.trusted.RootCAs.AddCert(parsed)
	return c, errors.Join(writePEM(c.file, "CERTIFICATE", public), writePEM(c.key, "PRIVATE KEY", private))
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
