package authcore

// IDTokenKeys is the document of the keys that this configuration's id_tokens
// are verified with.
func (s *Service) IDTokenKeys() []byte {
	return s.node.keys.Ring().IDTokenKeys(s.cfg.Alg, s.node.now())
}

// AllKeys is the document of all verification keys, assertions' included.
func (s *Service) AllKeys() []byte {
	return s.node.keys.Ring().AllKeys(s.node.now())
}
