package authcore

// IDTokenKeys is the document of the keys that id_tokens are verified with.
func IDTokenKeys(n *Node) []byte { return n.keys.Ring().IDTokenKeys(n.now()) }

// AllKeys is the document of all verification keys, assertions' included.
func AllKeys(n *Node) []byte { return n.keys.Ring().AllKeys(n.now()) }
